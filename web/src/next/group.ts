import type { Schemas } from '../api/client';

export type Step = Schemas['NextStep'];

// Fix is one firmware and what it is worth over all devices that it would mend.
export type Fix = { model: string; version: string; release?: string; devices: Step[]; closes: number; risk: number; minutes: number };

// byFix groups steps by what would mend them: most risk removed per minute of maintenance first, as
// "firmward next --by fix" does. Urgent devices that no fix mends are counted, so that nobody forgets them.
export function byFix(steps: Step[], worth = 30): { fixes: Fix[]; unfixed: Step[] } {
  const groups = new Map<string, Fix>();
  const unfixed: Step[] = [];
  for (const s of steps) {
    if (!s.fix) {
      if (s.risk >= worth || s.bucket === 'act-now') unfixed.push(s);
      continue;
    }
    const key = JSON.stringify([s.fix.model, s.fix.version]);
    const g = groups.get(key) ?? { model: s.fix.model, version: s.fix.version, devices: [], closes: 0, risk: 0, minutes: 0 };
    g.release ??= s.fix.release;
    g.devices.push(s);
    g.closes += s.fix.closes;
    g.minutes += s.fix.minutes;
    g.risk += s.risk - s.riskAfter;
    groups.set(key, g);
  }
  const fixes = [...groups.values()].sort(
    (a, b) => b.risk * a.minutes - a.risk * b.minutes || a.model.localeCompare(b.model) || a.version.localeCompare(b.version),
  );
  return { fixes, unfixed };
}

// byBlocker groups steps by what holds them up, the most devices first.
export function byBlocker(steps: Step[]): { blocker: string; code: string; devices: Step[] }[] {
  const groups = new Map<string, Step[]>();
  for (const s of steps) if (s.blocker) groups.set(s.blocker, [...(groups.get(s.blocker) ?? []), s]);
  return [...groups.entries()]
    .map(([blocker, devices]) => ({ blocker, code: devices[0]?.blockerCode ?? '', devices }))
    .sort((a, b) => b.devices.length - a.devices.length || a.blocker.localeCompare(b.blocker));
}

export const kinds = ['patch', 'contain', 'ask', 'replace', 'retire', 'look', 'accept', 'wait'] as const;

// byKind groups steps by what is to be done, in the order of kinds; inside, the most urgent stays first.
export function byKind(steps: Step[]): { kind: (typeof kinds)[number]; steps: Step[] }[] {
  return kinds.map((kind) => ({ kind, steps: steps.filter((s) => s.now.kind === kind) })).filter((g) => g.steps.length > 0);
}

// count adds what the server counted over all devices.
export function count(counts: Schemas['StepCount'][], bucket: string): number {
  return counts.reduce((n, c) => n + (c.bucket === bucket ? c.n : 0), 0);
}
