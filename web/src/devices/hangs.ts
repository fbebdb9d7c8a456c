import type { Schemas } from '../api/client';
import { text } from '../text';

export type Group = { words: string; others: { id: string; name: string }[]; sources: string[] };

// byWords puts the relations of a device together as it would say them: what it hangs on first, the others by name.
export function byWords(device: string, relations: Schemas['Relation'][]): Group[] {
  const groups = new Map<string, Group>();
  const own = (r: Schemas['Relation']) => r.from === device;
  for (const r of [...relations].sort((a, b) => Number(own(b)) - Number(own(a)))) {
    const words = (own(r) ? undefined : text.itHas[r.kind]) ?? text.itIs[r.kind] ?? r.kind;
    const g = groups.get(words) ?? { words, others: [], sources: [] };
    groups.set(words, g);
    const other = own(r) ? { id: r.to, name: r.toName } : { id: r.from, name: r.fromName };
    if (!g.others.some((o) => o.id === other.id)) g.others.push(other);
    if (!g.sources.includes(r.source)) g.sources.push(r.source);
  }
  for (const g of groups.values()) g.others.sort((a, b) => a.name.localeCompare(b.name));
  return [...groups.values()];
}
