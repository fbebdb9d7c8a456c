import { expect, test } from 'vitest';
import type { Schemas } from '../api/client';
import { readable, timeline } from './timeline';

test('values of the history are readable', () => {
  expect(readable('"10.12.262"')).toBe('10.12.262');
  expect(readable('{"From":"2026-12-01T12:30:09.88Z","To":"2026-12-31T12:30:09Z"}')).toBe('2026-12-01 12:30 – 2026-12-31 12:30');
  expect(readable('{"From":"0001-01-01T00:00:00Z","To":"0001-01-01T00:00:00Z"}')).toBe('');
  expect(readable('["a","b"]')).toBe('a, b');
  expect(readable('not json')).toBe('not json');
});

test('nothing is told from before a gap', () => {
  const change = (at: string): Schemas['FieldChange'] => ({ at, field: 'Firmware', after: '"2"', before: '"1"', actor: 'firmward', source: 'probe' });
  const d = {
    findings: [{ advisory: 'CVE-1', verdict: 'affected', openedAt: '2026-01-01T00:00:00Z', closedAt: '2026-03-01T00:00:00.5Z' }],
    targets: [], workOrders: [], containments: [],
  } as unknown as Schemas['DeviceDetail'];
  const history = [change('2026-03-01T00:00:00Z'), change('2026-02-01T00:00:00Z')];
  expect(timeline(d, history, false).map((e) => e.at)).toEqual(['2026-03-01T00:00:00.5Z', '2026-03-01T00:00:00Z', '2026-02-01T00:00:00Z', '2026-01-01T00:00:00Z']);
  expect(timeline(d, history, true).map((e) => e.at)).toEqual(['2026-03-01T00:00:00.5Z', '2026-03-01T00:00:00Z', '2026-02-01T00:00:00Z']);
});
