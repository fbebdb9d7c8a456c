import { expect, test } from 'vitest';
import type { Schemas } from '../api/client';
import { text } from '../text';
import { byThemselves, readable, timeline } from './timeline';

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

test('fields of the history are in words', () => {
  expect(['Firmware', 'NeverContain', 'MACs', 'Addrs', 'FirstSeen'].map(text.fieldName)).toEqual(['Firmware', 'Never contain', 'MAC addresses', 'Addresses', 'First seen']);
});

test('what nobody ordered is the change that the record was written for', () => {
  const change = (at: string, before: string, after: string, field = 'Firmware'): Schemas['FieldChange'] =>
    ({ at, field, before: `"${before}"`, after: `"${after}"`, actor: 'firmward', source: 'probe' });
  const leaf = (at: string, before: string, after: string) => ({ at, detail: { before, after } }) as unknown as Schemas['Leaf'];
  const history = [change('2026-04-01T00:00:00Z', '1', '2'), change('2026-03-01T00:00:00Z', '1', '2'), change('2026-02-01T00:00:00Z', '1', '2'), change('2026-03-01T00:00:00Z', '1', '2', 'Model')];
  expect([...byThemselves(history, [leaf('2026-03-01T00:00:00.01Z', '1', '2')])]).toEqual([history[1]]);
  expect(byThemselves(history, [leaf('2026-01-01T00:00:00Z', '1', '2'), leaf('2026-05-01T00:00:00Z', '2', '3')]).size).toBe(0);
  const none = { findings: [], targets: [], workOrders: [], containments: [] } as unknown as Schemas['DeviceDetail'];
  expect(timeline(none, history.slice(0, 2), false, [leaf('2026-03-01T00:00:00.01Z', '1', '2')]).map((e) => e.mark)).toEqual([undefined, text.byItself]);
});
