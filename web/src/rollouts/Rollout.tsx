import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { answer, api, type Schemas } from '../api/client';
import { Ask, type Question } from '../shell/Ask';
import { Mark, type Tone } from '../shell/Mark';
import { Loaded } from '../shell/Told';
import { asMinute } from '../shell/time';
import { text } from '../text';
import { Bar } from './Bar';
import { releaseName } from './Rollouts';
import { rolloutTone, targetTone } from './states';
import { byReason, byWave, orders, toApprove, type Order, type Wave } from './waves';

// Rollout shows one rollout as it goes: waves with their devices, who does not take part and why, and what a
// person can say to it.
export function Rollout({ id }: { id: string }) {
  const query = useQuery({
    queryKey: ['rollout', id], queryFn: ({ signal }) => answer(api.GET('/api/v1/rollouts/{id}', { params: { path: { id } }, signal })),
  });
  return (
    <div className="page">
      <p><Link href="/rollouts">{text.rollouts}</Link></p>
      <Loaded query={query}>{(d) => <Detail detail={d} />}</Loaded>
    </div>
  );
}

function Detail({ detail: d }: { detail: Schemas['RolloutDetail'] }) {
  const r = d.rollout;
  return (
    <>
      <h1>{releaseName(d.release)}</h1>
      <div className="card stack-tight">
        <p className="row" role="status">
          <Mark tone={rolloutTone[r.state]}>{text.rolloutState[r.state]}</Mark>
          {r.rehearsal && <Mark tone="quiet">{text.rehearsal}</Mark>}
          <span>{r.why}</span>
        </p>
        <Bar rollout={r} />
        <Orders rollout={r} />
        {r.emergency && <p><Mark tone="warn">{text.hastened}</Mark> {r.emergency}</p>}
        {r.allowed?.map((a) => <p key={a.risk}><Mark tone="warn">{text.takenOn[a.risk]}</Mark> {a.why}</p>)}
        {r.void && <p><Mark tone="warn">{text.void}</Mark> {r.void}</p>}
        <p className="dim small">{text.plannedBy(r.author, asMinute(r.created), r.id, r.policy.approvals)}</p>
        {r.approvals.map((a) => <p key={a.actor + a.at} className="small">✓ {text.approvedBy(a.actor, a.wave, asMinute(a.at), a.note)}</p>)}
        {d.release.withdrawn && <p><Mark tone="bad">{text.withdrawn}</Mark> {d.release.whyGone}</p>}
      </div>
      <section aria-labelledby="waves">
        <h2 id="waves">{text.waves}</h2>
        {d.more && <p className="dim">{text.onlyFirst(d.targets.length)}</p>}
        <ol className="waves">{byWave(r, d.targets).map((w) => <OneWave key={w.n} rollout={r} wave={w} />)}</ol>
      </section>
      {d.refusals.length > 0 && (
        <section aria-labelledby="refused">
          <h2 id="refused">{text.notTakingPart}</h2>
          <ul className="plain">
            {byReason(d.refusals).map(([why, targets]) => (
              <li key={why} className="card">
                <p><strong>{text.nDevices(targets.length)}:</strong> {why}</p>
                <p className="names">{targets.map((t) => <Link key={t.deviceId} href={`/devices/${t.deviceId}`}>{t.device}</Link>)}</p>
              </li>
            ))}
          </ul>
        </section>
      )}
      <section aria-labelledby="staging">
        <h2 id="staging">{text.staging}</h2>
        {d.staging.length === 0 && <p className="dim">{text.notStaged}</p>}
        <ul className="plain">
          {(r.covered ?? []).map((c) => (
            <li key={`${c.model} ${c.hardware} ${c.version} ${c.verdict} ${c.why}`} className="card">
              <p className="row">
                <Mark tone={({ passed: 'good', failed: 'bad', 'not-staged': 'warn', running: 'busy' } as const)[c.result]}>{text.stagingResult[c.result]}</Mark>
                <span><strong>{text.nDevices(c.devices)}</strong>, {c.model} {c.hardware} {c.version}: {c.why}</span>
              </p>
              {(c.differences ?? []).map((said) => <p key={said} className="dim small">{said}</p>)}
            </li>
          ))}
        </ul>
        {d.staging.length > 0 && <h3>{text.stagingVerdicts}</h3>}
        <ul className="plain">
          {d.staging.map((s) => (
            <li key={s.id} className="card">
              <p className="row">
                <Mark tone={s.expired ? 'warn' : ({ passed: 'good', failed: 'bad', 'not-staged': 'warn' } as const)[s.result]}>{s.expired ? text.stagingExpired : text.stagingResult[s.result]}</Mark>
                <span>{s.model} {s.hardware}: {s.why}</span> {s.at && <span className="dim small">{asMinute(s.at)}</span>} {s.expires && s.result === 'passed' && <span className="dim small">{text.stagingUntil(asMinute(s.expires))}</span>}
              </p>
              {(s.notMirrored ?? []).length > 0 && <p className="dim small">{text.notMirrored}: {(s.notMirrored ?? []).join('; ')}</p>}
              {(s.reached ?? []).length > 0 && <p className="dim small">{text.stagingReached}: {(s.reached ?? []).join('; ')}</p>}
            </li>
          ))}
        </ul>
      </section>
      <section aria-labelledby="policy">
        <h2 id="policy">{text.policy(r.policy.name)}</h2>
        <p>{text.limits(r.policy)}</p>
      </section>
    </>
  );
}

// untouched are the states of targets that can be taken out of a rollout.
const untouched: Schemas['Target']['state'][] = ['pending', 'claimed', 'waiting-for-person', 'waiting-for-wake'];

function OneWave({ rollout: r, wave: w }: { rollout: Schemas['Rollout']; wave: Wave }) {
  const [question, ask] = useState<Question | null>(null);
  const goesOn = orders(r).includes('stop');
  const takeOut = (title: string, what: { wave?: number; devices?: string[] }) =>
    ask({
      title, what: text.takeOutWhat, confirm: text.takeOut, danger: true, needsWhy: true,
      run: (why) => answer(api.POST('/api/v1/rollouts/{id}/stop-targets', { params: { path: { id: r.id } }, body: { ...what, why } })),
    });
  const restore = (t: Schemas['Target']) =>
    ask({
      title: text.restoreNamed(t.device), what: text.restoreWhat(t.from ?? ''), confirm: text.restore, needsWhy: true,
      run: (why) => answer(api.POST('/api/v1/rollouts/{id}/restore', { params: { path: { id: r.id } }, body: { device: t.deviceId, why } })),
    });
  const waits = (t: Schemas['Target']) => goesOn && untouched.includes(t.state);
  const clean = w.targets.every((t) => t.state === 'succeeded' || t.state === 'skipped');
  const tone: Record<Wave['state'], Tone> = { over: clean ? 'good' : 'warn', open: 'busy', held: 'warn', 'not-open': 'quiet' };
  return (
    <li className="card">
      <p className="row"><strong>{text.waveName(w.n)}</strong> <Mark tone={tone[w.state]}>{text.waveState[w.state]}</Mark> <span className="dim">{text.ended(w.ended, w.targets.length)}</span>
        {w.targets.filter(waits).length > 1 && <Button variant="subtle" color="red" size="compact-sm" onClick={() => takeOut(text.takeOutNamed(text.waveName(w.n)), { wave: w.n })}>{text.takeOutAll}</Button>}
      </p>
      <ul className="plain targets">
        {w.targets.map((t) => (
          <li key={t.deviceId}>
            <Link href={`/devices/${t.deviceId}`}>{t.device}</Link> <Mark tone={targetTone[t.state]}>{text.targetState[t.state]}</Mark>
            {waits(t) && <Button variant="subtle" color="red" size="compact-sm" aria-label={text.takeOutNamed(t.device)}
              onClick={() => takeOut(text.takeOutNamed(t.device), { devices: [t.deviceId] })}>{text.takeOut}</Button>}
            {t.mayRestore && <Button variant="default" size="compact-sm" aria-label={text.restoreNamed(t.device)} onClick={() => restore(t)}>{text.restore}</Button>}
            <p className="dim small">{t.from && `${t.from} → ${t.want}`}{t.why && `, ${t.why}`}{!t.endedAt && (t.deadline ?? t.waitsTo) && `, ${text.deadline(asMinute(t.deadline ?? t.waitsTo!))}`}</p>
            {t.stillOpen && <p className="small"><Mark tone="warn">{text.stillOpen(t.stillOpen)}</Mark></p>}
            {t.closed && <p className="dim small">{text.closed(t.closed)}</p>}
          </li>
        ))}
      </ul>
      <Ask question={question} onClose={() => ask(null)} />
    </li>
  );
}

// Orders are the buttons that fit the state. Who may not, or comes too late, is told so by the server.
function Orders({ rollout: r }: { rollout: Schemas['Rollout'] }) {
  const [question, ask] = useState<Question | null>(null);
  const can = orders(r);
  if (can.length === 0) return null;
  const path = { path: { id: r.id } };
  const run: Record<Order, (why: string) => Promise<unknown>> = {
    start: (why) => answer(api.POST('/api/v1/rollouts/{id}/start', { params: path, body: { why } })),
    pause: (why) => answer(api.POST('/api/v1/rollouts/{id}/pause', { params: path, body: { why } })),
    resume: (why) => answer(api.POST('/api/v1/rollouts/{id}/resume', { params: path, body: { why } })),
    stop: (why) => answer(api.POST('/api/v1/rollouts/{id}/stop', { params: path, body: { why } })),
    approve: (note) => answer(api.POST('/api/v1/rollouts/{id}/approve', { params: path, body: { wave: toApprove(r), note } })),
  };
  const open = (o: Order) =>
    ask({
      title: text.order[o], what: o === 'approve' ? text.approveWhat(text.waveName(toApprove(r)), r.author) : text.orderWhat[o], confirm: text.order[o],
      danger: o === 'stop', needsWhy: o === 'pause' || o === 'stop' || (o === 'resume' && (r.state === 'halted' || r.unsure === true)), reason: o === 'approve' ? text.note : undefined, run: run[o],
    });
  return (
    <div className="row">
      {can.map((o) => <Button key={o} variant={o === 'stop' ? 'outline' : o === 'pause' ? 'default' : 'filled'} color={o === 'stop' ? 'red' : undefined} onClick={() => open(o)}>{text.order[o]}</Button>)}
      <Ask question={question} onClose={() => ask(null)} />
    </div>
  );
}
