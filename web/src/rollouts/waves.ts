import type { Schemas } from '../api/client';

export type Target = Schemas['Target'];
export type Wave = { n: number; targets: Target[]; ended: number; state: 'over' | 'open' | 'held' | 'not-open' };

const over = new Set<Target['state']>(['succeeded', 'failed', 'rolled-back', 'skipped', 'refused']);

// byWave sorts targets into waves; every wave of the plan is there, also one without a device that was read.
export function byWave(r: Schemas['Rollout'], targets: Target[]): Wave[] {
  const waves: Wave[] = Array.from({ length: r.waves }, (_, n) => ({ n, targets: [], ended: 0, state: 'not-open' }));
  for (const t of targets) waves[t.wave]?.targets.push(t);
  for (const w of waves) {
    w.ended = w.targets.filter((t) => over.has(t.state)).length;
    if (r.waveOpen && w.n <= r.wave) w.state = w.n < r.wave || r.state === 'finished' ? 'over' : r.state === 'running' ? 'open' : 'held';
  }
  return waves;
}

export type Order = 'start' | 'approve' | 'pause' | 'resume' | 'stop';

// orders says what can be said to a rollout in its state. The server decides whether this person may.
export function orders(r: Schemas['Rollout']): Order[] {
  if (r.rehearsal) return [];
  switch (r.state) {
    case 'planned':
      return ['start', 'stop'];
    case 'awaiting-approval':
      return ['approve', 'pause', 'stop'];
    case 'running':
      return toApprove(r) > 0 ? ['approve', 'pause', 'stop'] : ['pause', 'stop'];
    case 'paused':
    case 'halted':
      return r.void ? ['approve', 'resume', 'stop'] : ['resume', 'stop'];
    default:
      return [];
  }
}

// toApprove is the wave that a consent is for: the start (0), the next one where each wave wants its own, or the open one again
// where consents are void.
export function toApprove(r: Schemas['Rollout']): number {
  if (r.void && r.state !== 'awaiting-approval') return r.wave;
  return r.state === 'running' && r.policy.approveWaves && r.wave + 1 < r.waves ? r.wave + 1 : 0;
}

// byReason groups devices that do not take part by the reason, the most devices first.
export function byReason(refusals: Target[]): [string, Target[]][] {
  const groups = new Map<string, Target[]>();
  for (const t of refusals) groups.set(t.why ?? '', [...(groups.get(t.why ?? '') ?? []), t]);
  return [...groups.entries()].sort((a, b) => b[1].length - a[1].length || a[0].localeCompare(b[0]));
}
