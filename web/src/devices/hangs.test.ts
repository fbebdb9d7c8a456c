import { expect, test } from 'vitest';
import type { Schemas } from '../api/client';
import { byWords } from './hangs';

test('relations are said from where one stands', () => {
  const edge = (from: string, to: string, kind: string, source = 'probe:hue'): Schemas['Relation'] => ({ from, fromName: from, to, toName: to, kind, source });
  const all = [edge('sofa', 'hue', 'behind'), edge('desk', 'hue', 'behind', 'person:anna'), edge('hue', 'gw', 'behind'), edge('hue-2', 'hue', 'redundant-with'), edge('hue', 'hue-2', 'redundant-with'), edge('hue', 'x', 'new-kind')];
  expect(byWords('hue', all).map((g) => `${g.words} ${g.others.map((o) => o.id)}: ${g.sources}`)).toEqual([
    'is reached through gw: probe:hue', 'is never down together with hue-2: probe:hue', 'new-kind x: probe:hue', 'bears desk,sofa: probe:hue,person:anna',
  ]);
  expect(byWords('sofa', all.slice(0, 1)).map((g) => `${g.words} ${g.others.map((o) => o.id)}`)).toEqual(['is reached through hue']);
});
