import { useQueryClient, type QueryClient } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';
import type { Schemas } from '../api/client';
import { logOut, token } from '../api/session';
import { parser } from './read';

// concerns says which queries are to be read again when a thing of a kind changed. The list of devices is not among
// them: a person scrolls in it.
const concerns: Record<string, string[]> = {
  device: ['device'],
  finding: ['device', 'next'],
  exception: ['device', 'next'],
  step: ['device', 'next'],
  workorder: ['device', 'next'],
  containment: ['device', 'next'],
  rollout: ['rollouts', 'rollout', 'next'],
  target: ['rollouts', 'rollout', 'device'],
  feed: ['next', 'feeds'],
  fetch: ['feeds'],
  'stop-all': ['stop-all', 'next', 'rollouts', 'rollout'],
};

export type Live = { connected: boolean; at: string; last: Schemas['Change'] | null };

let state: Live = { connected: false, at: '', last: null };
const listeners = new Set<() => void>();

function set(change: Partial<Live>) {
  state = { ...state, ...change };
  for (const l of listeners) l();
}

// useLive gives the state of the event stream, with the house's clock as it was last told.
export function useLive(): Live {
  return useSyncExternalStore((l) => {
    listeners.add(l);
    return () => listeners.delete(l);
  }, () => state);
}

// useEventStream keeps the stream open while somebody is logged in, and lets queries be read again as things change.
export function useEventStream(secret: string) {
  const queries = useQueryClient();
  useEffect(() => {
    const over = new AbortController();
    void follow(queries, over.signal);
    return () => over.abort();
  }, [queries, secret]);
}

const gather = 500; // ms in which changes are put together: a wave changes many things at once
const waits = [500, 1000, 2000, 5000, 10000]; // ms before the stream is opened again

async function follow(queries: QueryClient, over: AbortSignal) {
  const stale = new Set<string>();
  let timer = 0;
  const mark = (keys: string[]) => {
    for (const k of keys) stale.add(k);
    if (timer) return;
    timer = window.setTimeout(() => {
      timer = 0;
      for (const k of stale) void queries.invalidateQueries({ queryKey: [k] });
      stale.clear();
    }, gather);
  };
  let last = '';
  for (let tries = 0; !over.aborted; tries++) {
    try {
      const resp = await fetch('/api/v1/events', {
        headers: { Authorization: `Bearer ${token()}`, ...(last && { 'Last-Event-ID': last }) },
        signal: over,
      });
      if (resp.status === 401) return logOut();
      if (resp.ok && resp.body) {
        if (tries > 0 && !last) mark(Object.values(concerns).flat()); // what happened meanwhile is not known
        const feed = parser();
        const pieces = resp.body.pipeThrough(new TextDecoderStream()).getReader();
        for (let p = await pieces.read(); !p.done; p = await pieces.read()) {
          for (const m of feed(p.value)) {
            tries = 0;
            if (m.id) last = m.id;
            const data = JSON.parse(m.data);
            if (m.event === 'gap') mark(Object.values(concerns).flat());
            if (m.event === 'change') mark(concerns[data.kind] ?? []);
            set({ connected: true, ...(data.at && { at: data.at }), ...(m.event === 'change' && { last: data }) });
          }
        }
      }
    } catch {
      // the connection broke: below it is tried again
    }
    if (over.aborted) break;
    set({ connected: false });
    await new Promise((done) => window.setTimeout(done, waits[Math.min(tries, waits.length - 1)]));
  }
  window.clearTimeout(timer);
}
