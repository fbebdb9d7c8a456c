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
      <div className="row"><Risk risk={s.risk} after={s.riskAfter} bucket={s.bucket} /><span>{s.urgency ? text.urgency[s.urgency] : text.bucket[s.bucket]}</span>{s.counterfactual && <span className="dim">{s.counterfactual}</span>}</div>
      <ol className="phases">
        {phases.map(([name, p]) => p && <Phase key={name} name={name} phase={p} />)}
      </ol>
      {s.blocker && <p><Mark tone="warn">{text.held}</Mark> {s.blocker}</p>}
      {s.why.length > 0 && <div><h3>{text.why}</h3><ul>{s.why.map((w) => <li key={w}>{w}</li>)}</ul></div>}
      {s.flags.length > 0 && <p>{text.besideNumber} {s.flags.join('; ')}</p>}
      {s.otherwise.length > 0 && <div><h3>{text.otherwise}</h3><ul>{s.otherwise.map((o) => <li key={o.action}>{o.action}: {s.risk} → {o.risk}</li>)}</ul></div>}
      {s.clocks.length > 0 && <Clocks clocks={s.clocks} />}
      {s.factors && <Factors factors={s.factors} />}
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

function Clocks({ clocks }: { clocks: Schemas['DueClock'][] }) {
  return (
    <div>
      <h3>{text.clocks}</h3>
      <ul>
        {clocks.map((c) => (
          <li key={c.rule}>
            {c.due ? text.due(asDay(c.due)) : text.nextUpgrade}{' '}
            <span className="dim small">{text.clock(c.rule, c.started ? asDay(c.started) : '', [c.startedBy, c.advisory, c.asks].filter(Boolean).join(', '))}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

// Factors opens up the number: every decision with its source, and what was only derived is called so.
function Factors({ factors: f }: { factors: Schemas['RiskFactors'] }) {
  const said = (name: string, d: Schemas['Decision']) => text.decision(name, d.value, d.derived ? text.derived : d.source);
  return (
    <details>
      <summary>{text.madeOf(f.policy)}</summary>
      <ul>
        {f.impacts.map((i) => <li key={i.name}>{text.factor(i.name, i.value, i.why)}</li>)}
        <li>{text.factor(f.unfound.name, f.unfound.value, f.unfound.why)}</li>
        {f.findings.map((p) => (
          <li key={p.advisory}>
            {p.advisory}: {[p.probability, p.reach, p.certainty].map((x) => text.factor(x.name, x.value, x.why)).join(' × ')}
            <br />
            <span className="dim small">
              SSVC {p.outcome}: {said('exploitation', p.exploitation)}, {said('automatable', p.automatable)}, {said('technical impact', p.technicalImpact)}
              {p.cvss && <>. {text.cvssHere(p.cvss.version, p.cvss.base, p.cvss.score)}</>}
            </span>
          </li>
        ))}
      </ul>
    </details>
  );
}
