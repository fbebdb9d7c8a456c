import { Link } from 'wouter';
import type { Schemas } from '../api/client';
import { Mark } from '../shell/Mark';
import { asDay, useIsPast } from '../shell/time';
import { text } from '../text';
import type { Step } from './group';
import { Risk } from './Risk';

// StepCard is the one next step of a device in full: now, then, finally, why, and what holds it up.
export function StepCard({ step: s }: { step: Step }) {
  const phases = [[text.now, s.now], [text.then, s.then], [text.finally, s.finally]] as const;
  return (
    <div className="card stack-tight">
      <div className="row"><Risk risk={s.risk} after={s.riskAfter} /><span>{text.bucket[s.bucket]}</span>{s.counterfactual && <span className="dim">{s.counterfactual}</span>}</div>
      <ol className="phases">
        {phases.map(([name, p]) => p && <Phase key={name} name={name} phase={p} />)}
      </ol>
      {s.blocker && <p><Mark tone="warn">{text.held}</Mark> {s.blocker}</p>}
      {s.why.length > 0 && <div><h3>{text.why}</h3><ul>{s.why.map((w) => <li key={w}>{w}</li>)}</ul></div>}
      {s.fix && <p>{text.fixIs(s.fix.model, s.fix.version, s.fix.closes, s.fix.minutes)}</p>}
      {s.ref?.startsWith('ro-') && <p><Link href={`/rollouts/${s.ref}`}>{text.carriedBy(s.ref)}</Link></p>}
      <p className="dim small">{text.knowledgeShort} {s.knowledge}</p>
    </div>
  );
}

function Phase({ name, phase: p }: { name: string; phase: Schemas['Phase'] }) {
  const isPast = useIsPast();
  return (
    <li>
      <b>{name}</b> <Mark tone={p.kind === 'wait' || p.kind === 'accept' ? 'quiet' : 'busy'}>{text.kindWord[p.kind]}</Mark> {p.action}{' '}
      {p.by && (isPast(p.by) ? <Mark tone="bad">{text.wasDue(asDay(p.by))}</Mark> : <span className="dim">{text.due(asDay(p.by))}</span>)}{' '}
      {p.rule && <span className="dim small">{p.rule}</span>}
    </li>
  );
}
