import { Button } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'wouter';
import { answer, api, type Schemas } from '../api/client';
import { Ask, type Question } from '../shell/Ask';
import { Mark, type Tone } from '../shell/Mark';
import { asDay, asMinute, useIsPast } from '../shell/time';
import { text } from '../text';

type WorkOrder = Schemas['WorkOrder'];

const tone: Record<WorkOrder['state'], Tone> = { open: 'busy', 'reported-done': 'busy', 'not-done-yet': 'warn', done: 'good', void: 'quiet' };

// WorkOrders lists what people are asked to do, with the steps.
export function WorkOrders({ orders }: { orders: WorkOrder[] }) {
  const isPast = useIsPast();
  return (
    <ul className="plain">
      {orders.map((w) => (
        <li key={w.id} className="card">
          <div className="row">
            <strong>{w.title}</strong>
            <Mark tone={tone[w.state]}>{text.workState[w.state]}</Mark>
            <span className="dim">{w.assignee ? text.givenTo(w.assignee) : text.givenToNobody}</span>
            {w.rollout && <Link href={`/rollouts/${w.rollout}`}>{text.partOf}</Link>}
            {w.due && !w.closedAt && (isPast(w.due) ? <Mark tone="bad">{text.wasDue(asDay(w.due))}</Mark> : <span className="dim">{text.due(asDay(w.due))}</span>)}
          </div>
          {w.why && <p>{w.why}</p>}
          {w.begunBy && w.begunAt && <p className="dim">{text.begunBy(w.begunBy, asMinute(w.begunAt))}</p>}
          {w.instruction && <Steps instruction={w.instruction} />}
          {!w.closedAt && <Words order={w} />}
        </li>
      ))}
    </ul>
  );
}

// Words are what the person at the device says. Whether the work may begin, and whether it is done, the server finds out.
function Words({ order: w }: { order: WorkOrder }) {
  const [question, ask] = useState<Question | null>(null);
  const path = { path: { id: w.id } };
  const begin = () =>
    ask({
      title: w.title, what: text.beginWhat, confirm: text.beginWork, hasNoWhy: true,
      run: () => answer(api.POST('/api/v1/workorders/{id}/begin', { params: path })),
    });
  const report = () =>
    ask({
      title: w.title, what: text.reportWhat, confirm: text.reportWork, reason: text.note,
      run: (note) => answer(api.POST('/api/v1/workorders/{id}/report', { params: path, body: { note } })),
    });
  return (
    <div className="row">
      <Button variant="default" onClick={begin}>{text.beginWork}</Button>
      <Button onClick={report}>{text.reportWork}</Button>
      <Ask question={question} onClose={() => ask(null)} />
    </div>
  );
}

function Steps({ instruction: i }: { instruction: Schemas['Instruction'] }) {
  return (
    <details className="more">
      <summary>{text.howTo(i.title, i.minutes)}</summary>
      <ol>{i.steps.map((s) => <li key={s}>{s}</li>)}</ol>
      {i.outage && <p><b>{text.meanwhile}</b> {i.outage}</p>}
      {i.never && <p><b>{text.neverDo}</b> {i.never}</p>}
      {i.ifBad && <p><b>{text.ifBad}</b> {i.ifBad}</p>}
      {i.source && <p className="dim small">{i.source}</p>}
    </details>
  );
}
