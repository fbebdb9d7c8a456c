import { expect, test } from 'vitest';
import { byBlocker, byFix, byKind, type Step } from './group';

function step(device: string, more: Partial<Step>): Step {
  return {
    device, deviceId: device, bucket: 'plan', now: { kind: 'patch', action: 'update it' }, why: [], risk: 50, riskAfter: 10, flags: [], clocks: [], otherwise: [], takenOver: false,
    knowledge: '', support: { state: 'unknown', forecast: 'unknown' }, decidedAt: '2026-11-25T00:00:00Z', ...more,
  };
}

test('the fix that removes most risk per minute comes first', () => {
  const slow = { model: 'camera', version: '2', closes: 3, minutes: 60 };
  const quick = { model: 'plug', version: '1.4', closes: 1, minutes: 2 };
  const { fixes, unfixed } = byFix([
    step('a', { fix: slow, risk: 90 }), step('b', { fix: slow, risk: 90 }), step('c', { fix: quick, risk: 20 }),
    step('d', { risk: 80 }), step('e', { risk: 5 }), step('f', { risk: 5, bucket: 'act-now' }),
  ]);
  expect(fixes.map((f) => [f.model, f.devices.length, f.closes, f.risk, f.minutes])).toEqual([['plug', 1, 1, 10, 2], ['camera', 2, 6, 160, 120]]);
  expect(unfixed.map((s) => s.device)).toEqual(['d', 'f']);
});

test('a fix that takes no minutes is no division by zero', () => {
  const { fixes } = byFix([
    step('a', { fix: { model: 'x', version: '1', closes: 1, minutes: 5 } }), step('b', { fix: { model: 'y', version: '1', closes: 1, minutes: 0 } }),
  ]);
  expect(fixes.map((f) => f.model)).toEqual(['y', 'x']);
});

test('what holds up most devices comes first', () => {
  const got = byBlocker([step('a', { blocker: 'no file' }), step('b', {}), step('c', { blocker: 'no owner', blockerCode: 'no-owner' }), step('d', { blocker: 'no owner' })]);
  expect(got.map((g) => [g.blocker, g.code, g.devices.map((s) => s.device)])).toEqual([['no owner', 'no-owner', ['c', 'd']], ['no file', '', ['a']]]);
});

test('kinds keep the order of risk', () => {
  const wait = { kind: 'wait', action: 'wait' } as const;
  expect(byKind([step('a', { now: wait }), step('b', {}), step('c', {})]).map((g) => [g.kind, g.steps.map((s) => s.device)])).toEqual([
    ['patch', ['b', 'c']], ['wait', ['a']],
  ]);
});
