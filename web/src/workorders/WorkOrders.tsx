import type { Schemas } from '../api/client';
import { Mark, type Tone } from '../shell/Mark';
import { asDay, useIsPast } from '../shell/time';
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
            {w.due && !w.closedAt && (isPast(w.due) ? <Mark tone="bad">{text.wasDue(asDay(w.due))}</Mark> : <span className="dim">{text.due(asDay(w.due))}</span>)}
          </div>
          {w.why && <p>{w.why}</p>}
          {w.instruction && <Steps instruction={w.instruction} />}
        </li>
      ))}
    </ul>
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
