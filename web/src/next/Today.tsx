import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { answer, api } from '../api/client';
import { Knowledge } from '../feeds/Knowledge';
import { Mark } from '../shell/Mark';
import { Loaded } from '../shell/Told';
import { asDay, useIsPast } from '../shell/time';
import { text } from '../text';
import { byBlocker, byFix, byKind, count, type Fix, type Step } from './group';
import { Risk } from './Risk';

const most = 5000; // steps that are read for the groups; the server gives the most urgent first

async function readSteps(signal: AbortSignal) {
  const items: Step[] = [];
  for (let after: string | undefined; ; ) {
    const page = await answer(api.GET('/api/v1/next', { params: { query: { limit: 1000, after } }, signal }));
    items.push(...page.items);
    after = page.next;
    if (!after || items.length >= most) return { ...page, items };
  }
}

// Today is the first page: how far it can be trusted, what to do, what is worth most, what is held up.
export function Today() {
  const query = useQuery({ queryKey: ['next'], queryFn: ({ signal }) => readSteps(signal) });
  return (
    <div className="page">
      <h1>{text.today}</h1>
      <Loaded query={query}>
        {(d) => (
          <>
            <Knowledge depth={d.knowledge} />
            {d.devices === 0 ? <p>{text.noDevices}</p> : <Counts counts={d.counts} devices={d.devices} />}
            {d.next && <p className="dim">{text.onlyHighest(d.items.length)}</p>}
            <Fixes steps={d.items} />
            <HeldUp steps={d.items} />
            {byKind(d.items).map((g) => <Kind key={g.kind} kind={g.kind} steps={g.steps} />)}
          </>
        )}
      </Loaded>
    </div>
  );
}

function Counts({ counts, devices }: { counts: { kind: string; bucket: string; n: number }[]; devices: number }) {
  const weighed = counts.reduce((n, c) => n + c.n, 0);
  const tiles = [
    ['act-now', 'bad'], ['plan', 'warn'], ['watch', 'quiet'], ['accept', 'quiet'],
  ] as const;
  return (
    <dl className="tiles" aria-label={text.counts}>
      {tiles.map(([bucket, tone]) => (
        <div key={bucket} className={`tile tile-${tone}`}>
          <dt>{text.bucket[bucket]}</dt>
          <dd>{count(counts, bucket)}</dd>
        </div>
      ))}
      <div className="tile tile-quiet">
        <dt>{text.devices}</dt>
        <dd>{devices}{weighed < devices && <small> {text.notWeighed(devices - weighed)}</small>}</dd>
      </div>
    </dl>
  );
}

function Fixes({ steps }: { steps: Step[] }) {
  const { fixes, unfixed } = byFix(steps);
  if (fixes.length + unfixed.length === 0) return null;
  return (
    <section aria-labelledby="fixes">
      <h2 id="fixes">{text.fixes}</h2>
      <p className="dim">{text.fixesHelp}</p>
      <div className="scroll">
        <table className="stacked">
          <thead>
            <tr>
              <th scope="col">{text.fix}</th><th scope="col" className="num">{text.devices}</th><th scope="col" className="num">{text.closes}</th>
              <th scope="col" className="num">{text.riskRemoved}</th><th scope="col" className="num">{text.minutes}</th>
              <th scope="col" className="num">{text.perMinute}</th><th scope="col">{text.file}</th>
            </tr>
          </thead>
          <tbody>
            {fixes.map((f) => <FixRow key={`${f.model} ${f.version}`} fix={f} />)}
            {unfixed.length > 0 && (
              <tr>
                <th scope="row">{text.noFix}</th><td className="num" data-label={text.devices}>{unfixed.length}</td><td /><td /><td /><td />
                <td>{text.noFixHelp}</td>
              </tr>
            )}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function FixRow({ fix: f }: { fix: Fix }) {
  return (
    <tr>
      <th scope="row">{f.model} {f.version}</th>
      <td className="num" data-label={text.devices}>{f.devices.length}</td>
      <td className="num" data-label={text.closes}>{f.closes}</td>
      <td className="num" data-label={text.riskRemoved}>{f.risk}</td>
      <td className="num" data-label={text.minutes}>{f.minutes}</td>
      <td className="num" data-label={text.perMinute}>{f.minutes > 0 ? (f.risk / f.minutes).toFixed(1) : '–'}</td>
      <td>{f.release ? <Mark tone="good">{text.inDepot}</Mark> : <Mark tone="warn">{text.notInDepot}</Mark>}</td>
    </tr>
  );
}

const few = 12; // devices that a group shows at first

function HeldUp({ steps }: { steps: Step[] }) {
  const groups = byBlocker(steps);
  if (groups.length === 0) return null;
  return (
    <section aria-labelledby="held">
      <h2 id="held">{text.heldUp}</h2>
      <ul className="plain">
        {groups.map((g) => (
          <li key={g.blocker} className="card">
            <p><strong>{text.nDevices(g.devices.length)}:</strong> {g.blocker}</p>
            <p className="names">
              {g.devices.slice(0, few).map((s) => <Link key={s.deviceId} href={`/devices/${s.deviceId}`}>{s.device}</Link>)}
              {g.devices.length > few && <span className="dim">{text.andMore(g.devices.length - few)}</span>}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Kind({ kind, steps }: { kind: keyof typeof text.kind; steps: Step[] }) {
  const [shown, show] = useState(few);
  return (
    <section aria-labelledby={`kind-${kind}`}>
      <h2 id={`kind-${kind}`}>{text.kind[kind]} <span className="dim">{steps.length}</span></h2>
      <ul className="plain">
        {steps.slice(0, shown).map((s) => <Row key={s.deviceId} step={s} />)}
      </ul>
      {steps.length > shown && <Button variant="default" onClick={() => show(shown + 100)}>{text.showMore(Math.min(100, steps.length - shown))}</Button>}
    </section>
  );
}

function Row({ step: s }: { step: Step }) {
  const isPast = useIsPast();
  return (
    <li className="card step">
      <Risk risk={s.risk} after={s.riskAfter} bucket={s.bucket} />
      <div>
        <p><Link href={`/devices/${s.deviceId}`} className="strong">{s.device}</Link> {s.site && <span className="dim">{s.site}</span>}</p>
        <p>{s.now.action}{s.then && <span className="dim">. {text.then} {s.then.action}</span>}{s.finally && <span className="dim">. {text.finally} {s.finally.action}</span>}</p>
        {s.why.length > 0 && <p className="dim small">{s.why.join(' · ')}</p>}
      </div>
      <p className="due">{s.now.by && (isPast(s.now.by) ? <Mark tone="bad">{text.wasDue(asDay(s.now.by))}</Mark> : text.due(asDay(s.now.by)))}</p>
    </li>
  );
}
