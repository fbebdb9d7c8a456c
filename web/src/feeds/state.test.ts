import { expect, test } from 'vitest';
import { comesIn, hosts, rows, state, trust, type Feeds } from './state';

type Feed = Feeds['items'][number];
type Known = Feeds['known'][number];
type Fetch = NonNullable<Feed['fetch']>;

const known = (name: string, more: Partial<Known> = {}): Known => ({ name, title: name, kind: 'advisories', gives: '', home: '', licence: '', network: false, ...more });
const feed = (name: string, more: Partial<Feed> = {}): Feed =>
  ({ name, kind: 'advisories', records: 3, refused: 0, dated: '2026-11-24T00:00:00Z', imported: '2026-11-24T08:00:00Z', stale: false, ...more });
const fetched = (more: Partial<Fetch> = {}): Fetch => ({ followed: true, keyed: false, by: 'ada', failures: 0, good: '2026-11-24T08:00:00Z', tried: '2026-11-24T08:00:00Z', ...more });
const feeds = (items: Feed[], all: Known[] = []): Feeds => ({ items, known: all, knowledge: '', fetchable: [] });

const words = (f?: Feed, k = known('kev')) => {
  const { marks, why } = state({ known: k, feed: f });
  return [marks.map((m) => `${m.tone} ${m.word}`).join(', '), ...why];
};

test('a feed says in words whether it can be relied on', () => {
  expect(words()).toEqual(['quiet never imported']);
  expect(words(feed('kev', { records: 0, imported: undefined, dated: undefined, fetch: fetched({ good: undefined }) }))).toEqual(['quiet never imported']);
  expect(words(feed('kev'))).toEqual(['good fresh']);
  expect(words(feed('starter'), known('starter', { kind: 'starter' }))).toEqual(['quiet with the program']);
  expect(words(feed('kev', { dated: undefined }))).toEqual(['warn undated', 'Nobody knows how old it is.']);
  expect(words(feed('kev', { stale: true, staleAt: '2026-11-28T00:00:00Z', trouble: 'stale: newer facts are missing' }))).toEqual(['bad stale since 28 Nov 2026', 'Import a newer document.']);
  expect(words(feed('kev', { stale: true, trouble: 'stale: its server may be dead', fetch: fetched() }))).toEqual(['bad stale', 'its server may be dead']);
  expect(words(feed('kev', { trouble: 'fetching failed: x says 404', fetch: fetched({ failures: 1, lastError: 'x says 404' }) }))).toEqual(['bad fetching failed', 'x says 404']);
  expect(words(feed('kev', { stale: true, staleAt: '2026-11-28T00:00:00Z', trouble: 'fetching failed 9 times in a row: x says 404', fetch: fetched({ failures: 9, lastError: 'x says 404' }) })))
    .toEqual(['bad stale since 28 Nov 2026, bad fetching failed 9 times in a row', 'x says 404']);
  expect(words(feed('kev', { imported: undefined, trouble: 'fetching failed: e', fetch: fetched({ failures: 1, lastError: 'e' }) }))).toEqual(['bad fetching failed, quiet never imported', 'e']);
  expect(words(feed('kev', { trouble: 'odd', fetch: fetched() }))).toEqual(['bad in trouble', 'odd']);
});

test('a failed import is told once, and a failure that a newer document made up for is none', () => {
  expect(words(feed('kev', { lastError: 'cut', failedAt: '2026-11-25T00:00:00Z' }))).toEqual(['warn import failed', 'The import of 25 Nov 2026 failed: cut']);
  expect(words(feed('kev', { lastError: 'cut', trouble: 'fetching failed: kev.json: cut', fetch: fetched({ failures: 1, lastError: 'kev.json: cut' }) }))).toEqual(['bad fetching failed', 'kev.json: cut']);
  expect(words(feed('kev', { fetch: fetched({ followed: false, failures: 2, lastError: 'x says 404' }) }))).toEqual(['good fresh']);
});

test('nothing that is in trouble is ever good', () => {
  for (const stale of [true, false]) for (const trouble of ['stale: x', 'fetching failed: e', undefined]) for (const lastError of ['e', undefined]) for (const fetch of [undefined, fetched({ failures: 1, lastError: 'e' })]) {
    if (!stale && !trouble && !lastError) continue;
    expect(state({ known: known('kev'), feed: feed('kev', { stale, trouble, lastError, fetch }) }).marks.map((m) => m.tone)).not.toContain('good');
  }
});

test('trouble comes first, what is missing last, and nothing twice or never', () => {
  const all = rows({
    ...feeds([feed('starter', { kind: 'starter' }), feed('epss'), feed('kev', { trouble: 'x' }), feed('gone')], [known('cve'), known('epss'), known('kev'), known('starter', { kind: 'starter' })]),
    importing: [{ feed: 'cve', document: 'network', read: 7 }],
  });
  expect(all.map((r) => r.known.name)).toEqual(['kev', 'epss', 'gone', 'starter', 'cve']);
  expect(all[4]?.busy?.read).toBe(7);
});

test('how it comes in', () => {
  const kev = known('kev', { network: true, hosts: ['www.cisa.gov:443', 'mirror.example:8443'], period: '12h0m0s' });
  expect(hosts(kev)).toBe('www.cisa.gov, mirror.example:8443');
  expect(comesIn({ known: kev })).toEqual([]);
  expect(comesIn({ known: kev, feed: feed('kev') })).toEqual(['by hand']);
  expect(comesIn({ known: known('starter', { kind: 'starter' }), feed: feed('starter') })).toEqual(['with firmward']);
  expect(comesIn({ known: kev, feed: feed('kev', { fetch: fetched({ next: '2026-11-24T20:00:00Z' }) }) }))
    .toEqual(['followed, every 12 h', 'from www.cisa.gov, mirror.example:8443', 'last good fetch 24 Nov, 08:00 UTC', 'next try 24 Nov, 20:00 UTC']);
  expect(comesIn({ known: { ...kev, period: '168h0m0s' }, feed: feed('kev', { fetch: fetched({ followed: false, good: undefined }) }) }).slice(0, 4))
    .toEqual(['fetched by hand', 'from www.cisa.gov, mirror.example:8443', 'no good fetch yet', 'last try 24 Nov, 08:00 UTC']);
  expect(comesIn({ known: kev, feed: feed('kev', { fetch: fetched({ openpgpKeys: ['82163E2C2F2D64AD3BEA719E1E3A2CEF2D64AD3B'] }) }) })[2]).toBe('only what is signed by 1E3A2CEF2D64AD3B');
  expect(comesIn({ known: { ...kev, period: '168h0m0s' }, feed: feed('kev', { fetch: fetched() }) })[0]).toBe('followed, every 7 days');
});

test('what makes a short list mean little', () => {
  const all = [known('nvd'), known('kev', { kind: 'exploited' }), known('starter', { kind: 'starter' })];
  expect(trust(feeds([feed('starter', { kind: 'starter' })], all))).toEqual({ troubled: [], shallow: true, missing: 2 });
  expect(trust(feeds([feed('nvd', { records: 0, imported: undefined, fetch: fetched() })], all))).toEqual({ troubled: [], shallow: true, missing: 2 });
  expect(trust(feeds([feed('nvd'), feed('kev', { kind: 'exploited', trouble: 'x', fetch: fetched() })], all))).toEqual({ troubled: ['kev'], shallow: false, missing: 0 });
  expect(trust(feeds([feed('nvd', { trouble: 'stale: x' }), feed('kev', { trouble: 'x', fetch: fetched({ followed: false }) })], all)).troubled).toEqual([]);
});
