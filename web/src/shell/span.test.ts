import { expect, test } from 'vitest';
import { span } from './span';

test('a duration without its zero parts', () => {
  expect(['6h0m0s', '10m0s', '168h30m0s', '1.5s', '0s'].map(span)).toEqual(['6 h', '10 min', '168 h 30 min', '1.5 s', '0 s']);
});
