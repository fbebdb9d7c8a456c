import { Fragment } from 'react';
import { Link } from 'wouter';
import type { Schemas } from '../api/client';
import { text } from '../text';
import { byWords } from './hangs';

// Relations says what a device hangs on and what hangs on it, one line for each kind.
export function Relations({ detail: d }: { detail: Schemas['DeviceDetail'] }) {
  return (
    <ul className="plain">
      {byWords(d.device.id, d.relations).map((g) => (
        <li key={g.words} className="card">
          {g.words} <Names of={g.others} /> <span className="dim small">{text.saidBy(g.sources)}</span>
        </li>
      ))}
    </ul>
  );
}

function Names({ of }: { of: { id: string; name: string }[] }) {
  return of.map((o, i) => <Fragment key={o.id}>{i > 0 && ', '}<Link href={`/devices/${o.id}`}>{o.name || o.id}</Link></Fragment>);
}

// Through stands where the address of a device would: one behind another has none of its own.
export function Through({ detail: d }: { detail: Schemas['DeviceDetail'] }) {
  const by = d.relations.filter((r) => r.from === d.device.id && r.kind === 'behind').map((r) => ({ id: r.to, name: r.toName }));
  if (by.length === 0) return <span className="dim">{text.unknown}</span>;
  return <>{text.noAddressOfItsOwn}; {text.behind} <Names of={by} /></>;
}
