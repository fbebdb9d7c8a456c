import type { Schemas } from '../api/client';
import type { Tone } from '../shell/Mark';
import { text } from '../text';

export type Entry = { at: string; text: string; by?: string; tone: Tone; mark?: string };

// readable shows a value of the history, which is JSON, as a person would write it.
export function readable(json?: string): string {
  if (!json) return '';
  let v: unknown;
  try {
    v = JSON.parse(json);
  } catch {
    return json;
  }
  return plain(v);
}

function plain(v: unknown): string {
  if (v === null || v === undefined || v === '') return '';
  if (Array.isArray(v)) return v.map(plain).filter(Boolean).join(', ');
  if (typeof v === 'boolean') return v ? text.yes : text.no;
  if (typeof v === 'object') return Object.values(v).map(plain).filter(Boolean).join(' – ');
  const s = String(v);
  if (s.startsWith('0001-01-01')) return ''; // Go's time that is none
  return s.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d):.*Z$/, '$1 $2');
}

// byThemselves are the changes of firmware of which the audit log says that nobody here ordered them. A record is written just after
// its change, so it speaks of the last one that fits.
export function byThemselves(history: Schemas['FieldChange'][], alone: Schemas['Leaf'][]): Set<Schemas['FieldChange']> {
  const out = new Set<Schemas['FieldChange']>();
  for (const leaf of alone) {
    const fit = history.filter((h) => h.field === 'Firmware' && readable(h.before) === leaf.detail?.before && readable(h.after) === leaf.detail?.after && when(h) <= when(leaf));
    if (fit.length > 0) out.add(fit.reduce((a, b) => (when(b) > when(a) ? b : a)));
  }
  return out;
}

const when = (e: { at: string }) => Date.parse(e.at);

// timeline puts together what happened to a device, newest first. history may be the newest part only (more):
// then nothing older than its oldest entry is told, as it would stand beside a gap. alone are the audit log's records of
// changes that nobody here ordered.
export function timeline(d: Schemas['DeviceDetail'], history: Schemas['FieldChange'][], more: boolean, alone: Schemas['Leaf'][] = []): Entry[] {
  const unordered = byThemselves(history, alone);
  const out: Entry[] = history.map((h) => {
    const by = `${h.actor}, ${h.source}`;
    if (h.field === 'created') return { at: h.at, text: text.created, by, tone: 'quiet' };
    const change = text.changed(text.fieldName(h.field), readable(h.before), readable(h.after));
    if (unordered.has(h)) return { at: h.at, text: change, by: `${text.nobodyOrdered}; ${by}`, tone: 'warn', mark: text.byItself };
    return { at: h.at, text: change, by, tone: h.field === 'Firmware' ? 'good' : 'quiet' };
  });
  for (const f of d.findings) {
    if (f.openedAt) out.push({ at: f.openedAt, text: text.findingOpened(f.advisory), tone: 'warn' });
    if (f.closedAt) out.push({ at: f.closedAt, text: text.findingClosed(f.advisory), by: f.closedBy, tone: 'good' });
  }
  for (const t of d.targets) {
    if (t.startedAt) out.push({ at: t.startedAt, text: text.updateStarted(t.want), by: t.rollout, tone: 'busy' });
    if (t.endedAt && t.startedAt) out.push({ at: t.endedAt, text: text.updateEnded(t.want, text.targetState[t.state], t.why), by: t.rollout, tone: t.state === 'succeeded' ? 'good' : 'bad' });
  }
  for (const w of d.workOrders) {
    out.push({ at: w.created, text: text.workAsked(w.title), by: w.by, tone: 'quiet' });
    if (w.closedAt) out.push({ at: w.closedAt, text: text.workEnded(w.title, text.workState[w.state]), by: w.evidence, tone: w.state === 'done' ? 'good' : 'quiet' });
  }
  for (const c of d.containments) {
    out.push({ at: c.created, text: text.containAsked, by: c.by, tone: 'warn' });
    if (c.endedAt) out.push({ at: c.endedAt, text: text.containEnded(c.releaseOn), by: c.releaseBy, tone: 'quiet' });
  }
  const oldest = more && history.length > 0 ? Math.min(...history.map(when)) : -Infinity;
  return out.filter((e) => when(e) >= oldest).sort((a, b) => when(b) - when(a));
}
