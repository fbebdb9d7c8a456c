import type { Schemas } from '../api/client';
import type { Tone } from '../shell/Mark';
import { text } from '../text';

export type Entry = { at: string; text: string; by?: string; tone: Tone };

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

// timeline puts together what happened to a device, newest first. history may be the newest part only (more):
// then nothing older than its oldest entry is told, as it would stand beside a gap.
export function timeline(d: Schemas['DeviceDetail'], history: Schemas['FieldChange'][], more: boolean): Entry[] {
  const out: Entry[] = history.map((h) => {
    const [before, after] = [readable(h.before), readable(h.after)];
    return { at: h.at, text: h.field === 'created' ? text.created : text.changed(h.field, before, after), by: `${h.actor}, ${h.source}`, tone: h.field === 'Firmware' ? 'good' : 'quiet' };
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
  const when = (e: { at: string }) => Date.parse(e.at);
  const oldest = more && history.length > 0 ? Math.min(...history.map(when)) : -Infinity;
  return out.filter((e) => when(e) >= oldest).sort((a, b) => when(b) - when(a));
}
