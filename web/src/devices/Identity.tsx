import type { ReactNode } from 'react';
import type { Schemas } from '../api/client';
import { Mark } from '../shell/Mark';
import { asMinute } from '../shell/time';
import { text } from '../text';
import { autoClaim } from './AutoUpdates';
import { Through } from './Relations';

// Identity says what a device is, which evidence contradicts itself, and what every claim stands on.
export function Identity({ detail: d }: { detail: Schemas['DeviceDetail'] }) {
  const v = d.device;
  const facts: [string, ReactNode][] = [
    [text.vendor, v.vendor], [text.model, v.model], [text.hardware, v.hardware], [text.firmware, v.firmware], [text.serial, v.serial],
    [text.address, v.addresses.join(', ') || <Through detail={d} />], [text.mac, v.macs.join(', ')], [text.network, v.network && `${v.network}, ${v.zone}`],
    [text.owner, v.owner || text.noOwner], [text.function, v.function], [text.location, v.location],
    [text.criticality, v.criticality && text.ofFive(v.criticality)],
    [text.released, v.released && `${asMinute(v.released.from)} – ${asMinute(v.released.to)}`],
    [text.firstSeen, asMinute(v.firstSeen)], [text.lastSeen, asMinute(v.lastSeen) || text.never],
    [text.whoPatches, d.model.mayPatch.value], [text.rollback, d.model.rollback.value], [text.supportEnd, d.model.supportEnd.value],
    [text.autoUpdate, autoClaim(d)?.value ?? d.model.autoUpdate.value],
  ];
  return (
    <>
      <dl className="facts">
        {facts.map(([name, value]) => (
          <div key={name}><dt>{name}</dt><dd>{value || <span className="dim">{text.unknown}</span>}</dd></div>
        ))}
      </dl>
      {d.contradictions.length > 0 && (
        <ul className="plain contradictions">
          {d.contradictions.map((c) => (
            <li key={c.field} className="card">
              <p><Mark tone="warn">{text.contradiction}</Mark> <b>{c.field}</b>: {text.chosen(c.chosen.value, c.chosen.source, c.chosen.confidence)}</p>
              {c.others.map((o) => <p key={o.value + o.source} className="dim">{text.other(o.value, o.source, o.confidence)}</p>)}
              <p>{c.why}</p>
            </li>
          ))}
        </ul>
      )}
      <details className="more">
        <summary>{text.evidence(d.claims.length)}</summary>
        <div className="scroll">
          <table className="stacked">
            <thead>
              <tr>
                <th scope="col">{text.field}</th><th scope="col">{text.value}</th><th scope="col" className="num">{text.confidence}</th>
                <th scope="col">{text.source}</th><th scope="col">{text.seen}</th><th scope="col">{text.at}</th>
              </tr>
            </thead>
            <tbody>
              {d.claims.map((c, i) => (
                <tr key={i}>
                  <th scope="row">{c.field}</th><td>{c.value}</td><td className="num" data-label={text.confidence}>{c.confidence} %</td>
                  <td data-label={text.source}>{c.source}{c.rule && <span className="dim small"> {c.rule}</span>}</td>
                  <td className="mono small">{c.raw}</td><td className="nowrap">{asMinute(c.at)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </>
  );
}
