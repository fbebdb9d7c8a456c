import { expect, test } from 'vitest';
import { parser } from './read';

test('events come whole, wherever the stream was cut', () => {
  const stream = ': hello\nid: 7\nevent: change\ndata: {"kind":\ndata: "rollout"}\n\nevent:heartbeat\r\ndata: {}\r\n\r\nevent: none\n\n';
  const want = [
    { event: 'change', id: '7', data: '{"kind":\n"rollout"}' },
    { event: 'heartbeat', id: '7', data: '{}' },
  ];
  for (let cut = 0; cut <= stream.length; cut++) {
    const feed = parser();
    expect([...feed(stream.slice(0, cut)), ...feed(stream.slice(cut))], `cut at ${cut}`).toEqual(want);
  }
});

test('an event that was not ended is not told', () => {
  expect(parser()('data: half\n')).toEqual([]);
});
