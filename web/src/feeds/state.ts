import type { Schemas } from '../api/client';
import type { Tone } from '../shell/Mark';
import { span } from '../shell/span';
import { asDay, asMinute } from '../shell/time';
import { text } from '../text';

export type Feeds = Schemas['Feeds'];
type Feed = Schemas['Feed'];
type Known = Schemas['KnownFeed'];

// Row is one feed: what it is, what is held of it, and what is being read of it now.
export type Row = { known: Known; feed?: Feed; busy?: Schemas['Importing'] };

export type State = { marks: { tone: Tone; word: string }[]; why: string[] };

// rows gives every feed once: what is in trouble first, then what is held, then what comes with the program, then what is missing.
export function rows(f: Feeds): Row[] {
  const known = [...f.known];
  for (const i of f.items) {
    // held since a program that knew the feed
    if (!known.some((k) => k.name === i.name)) known.push({ name: i.name, title: i.name, kind: i.kind as Known['kind'], gives: '', home: '', licence: '', network: false });
  }
  const all = known.map((k) => ({ known: k, feed: f.items.find((i) => i.name === k.name), busy: f.importing?.find((i) => i.feed === k.name) }));
  return all.sort((a, b) => rank(a) - rank(b) || a.known.name.localeCompare(b.known.name));
}

function rank({ known, feed }: Row): number {
  if (feed?.trouble || feed?.lastError) return 0;
  if (known.kind === 'starter') return 2;
  return feed ? 1 : 3;
}

// state says whether a feed can be relied on, in the words of the command line. Good is only what is new by its own date.
export function state({ known, feed: f }: Row): State {
  const marks: State['marks'] = [];
  const why: string[] = [];
  const failing = !!f && isFailing(f);
  if (f?.stale) {
    marks.push({ tone: 'bad', word: f.staleAt ? text.staleSince(asDay(f.staleAt)) : text.stale });
    if (!f.fetch) why.push(text.importNewer);
    else if (!failing && f.trouble) why.push(f.trouble.replace(/^stale: /, ''));
  }
  if (f && failing) {
    marks.push({ tone: 'bad', word: text.fetchFailed(f.fetch!.failures) });
    why.push(f.fetch!.lastError!);
  }
  if (f?.trouble && marks.length === 0) {
    marks.push({ tone: 'bad', word: text.inTrouble });
    why.push(f.trouble);
  }
  if (f?.lastError && !f.trouble?.includes(f.lastError)) {
    marks.push({ tone: 'warn', word: text.importFailed });
    why.push(text.importFailedWhy(asDay(f.failedAt), f.lastError));
  }
  if (!f?.imported) marks.push({ tone: 'quiet', word: text.neverImported });
  if (marks.length > 0 || !f) return { marks, why };
  if (known.kind === 'starter') return { marks: [{ tone: 'quiet', word: text.withProgram }], why };
  if (!f.dated) return { marks: [{ tone: 'warn', word: text.undated }], why: [text.undatedWhy] };
  return { marks: [{ tone: 'good', word: text.fresh }], why };
}

// isFailing: the server's word of trouble names the error of the last try. A failure that a newer document by hand made up for is none.
const isFailing = (f: Feed) => !!f.fetch && f.fetch.failures > 0 && !!f.fetch.lastError && !!f.trouble?.includes(f.fetch.lastError);

// comesIn says how a feed comes in, and how that went and goes on.
export function comesIn({ known, feed }: Row): string[] {
  const n = feed?.fetch;
  if (known.kind === 'starter') return [text.withFirmward];
  if (!n) return feed ? [text.byHand] : [];
  const out = [n.followed ? text.followedEvery(period(known.period)) : text.fetchedByHand];
  if (known.hosts?.length) out.push(text.fromHosts(hosts(known)));
  if (n.openpgpKeys?.length) out.push(text.signedByOneOf(n.openpgpKeys.map((k) => k.slice(-16)).join(', ')));
  out.push(n.good ? text.lastGood(asMinute(n.good)) : text.noGoodFetch);
  if (n.tried && (!n.good || new Date(n.tried) > new Date(n.good))) out.push(text.lastTry(asMinute(n.tried)));
  if (n.next) out.push(text.nextTry(asMinute(n.next)));
  return out;
}

// period writes a duration of the server, in days where they are whole.
function period(d = ''): string {
  const hours = Number(d.match(/^(\d+)h0m0s$/)?.[1] ?? 0);
  return hours > 0 && hours % 24 === 0 ? text.nDays(hours / 24) : span(d);
}

// hosts names whom a fetch asks; the port of https goes without saying.
export const hosts = (k: Known) => (k.hosts ?? []).map((h) => h.replace(/:443$/, '')).join(', ');

// busyText says how far a fetch or an import is.
export const busyText = (b: Schemas['Importing']) => (b.document === 'network' ? text.fetchingNow(b.read, b.bytes ?? 0) : text.importingNow(b.document, b.read));

export type Trust = { troubled: string[]; shallow: boolean; missing: number };

// trust is what makes a short list mean little: followed feeds in trouble, nothing but what comes with the program, feeds that are missing.
export function trust(f: Feeds): Trust {
  return {
    troubled: f.items.filter((i) => i.fetch?.followed && i.trouble).map((i) => i.name),
    shallow: !f.items.some((i) => i.kind === 'advisories' && i.records > 0),
    missing: f.known.filter((k) => k.kind !== 'starter' && !f.items.some((i) => i.name === k.name && i.imported)).length,
  };
}
