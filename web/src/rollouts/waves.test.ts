import { expect, test } from 'vitest';
import type { Schemas } from '../api/client';
import { byReason, byWave, orders, toApprove, type Target } from './waves';

function rollout(more: object): Schemas['Rollout'] {
  return { state: 'running', wave: 0, waves: 3, waveOpen: '2026-11-25T00:00:00Z', rehearsal: false, policy: { approveWaves: false }, ...more } as Schemas['Rollout'];
}
const target = (device: string, wave: number, state: Target['state'], why = '') => ({ device, wave, state, why }) as Target;

test('every wave is there, and only one is open', () => {
  const targets = [target('a', 0, 'succeeded'), target('b', 1, 'installing'), target('c', 1, 'failed')];
  expect(byWave(rollout({ wave: 1 }), targets).map((w) => [w.targets.length, w.ended, w.state])).toEqual([[1, 1, 'over'], [2, 1, 'open'], [0, 0, 'not-open']]);
  expect(byWave(rollout({ state: 'planned', waveOpen: undefined }), []).map((w) => w.state)).toEqual(['not-open', 'not-open', 'not-open']);
  expect(byWave(rollout({ wave: 1, state: 'halted' }), []).map((w) => w.state)).toEqual(['over', 'held', 'not-open']);
  expect(byWave(rollout({ wave: 2, state: 'finished' }), []).map((w) => w.state)).toEqual(['over', 'over', 'over']);
});

test('a wave is approved only where each wants its own consent', () => {
  const each = { approveWaves: true };
  expect([toApprove(rollout({ policy: each })), toApprove(rollout({ policy: each, wave: 2 })), toApprove(rollout({ state: 'awaiting-approval', policy: each }))]).toEqual([1, 0, 0]);
  expect(orders(rollout({ policy: each }))).toEqual(['approve', 'pause', 'stop']);
  expect(orders(rollout({}))).toEqual(['pause', 'stop']);
  expect(orders(rollout({ rehearsal: true }))).toEqual([]);
});

test('void consents are asked for anew, for the open wave', () => {
  const r = rollout({ state: 'paused', wave: 1, void: 'p3 has changed' });
  expect([orders(r), toApprove(r)]).toEqual([['approve', 'resume', 'stop'], 1]);
  expect(toApprove(rollout({ state: 'awaiting-approval', void: 'p3 has changed' }))).toBe(0);
});

test('refusals are grouped by reason', () => {
  const got = byReason([target('a', 0, 'refused', 'spare'), target('b', 0, 'refused', 'no owner'), target('c', 0, 'refused', 'no owner')]);
  expect(got.map(([why, l]) => [why, l.map((t) => t.device)])).toEqual([['no owner', ['b', 'c']], ['spare', ['a']]]);
});
