import { useState } from 'react';
import { Mark } from '../shell/Mark';
import { useMay } from '../shell/Shell';
import { Loaded } from '../shell/Told';
import { asDay, asMinute } from '../shell/time';
import { text } from '../text';
import { Import } from './Import';
import { Orders } from './Orders';
import { useFeeds } from './query';
import { busyText, comesIn, rows, state, type Row } from './state';

// Feeds is what firmward knows of the world: how deep, how new, how it comes in, and what is missing.
export function Feeds() {
  const may = useMay('admin');
  const [waiting, wait] = useState(0); // imports and fetches that were asked for here
  const query = useFeeds(waiting > 0);
  const during = async <T,>(work: Promise<T>) => {
    wait((n) => n + 1);
    return work.finally(() => wait((n) => n - 1));
  };
  return (
    <div className="page">
      <h1>{text.feeds}</h1>
      <Loaded query={query}>
        {(d) => (
          <div className="stack">
            <p>{text.knownSoFar(d.knowledge)}</p>
            {may ? <Import feeds={d} during={during} /> : <p className="dim">{text.adminFeeds}</p>}
            <div className="scroll">
              <table className="stacked feeds">
                <caption className="hidden">{text.feeds}</caption>
                <thead>
                  <tr>
                    <th scope="col">{text.feed}</th><th scope="col">{text.feedState}</th><th scope="col">{text.heldOfIt}</th><th scope="col">{text.comesIn}</th>
                    {may && <th scope="col"><span className="hidden">{text.orders}</span></th>}
                  </tr>
                </thead>
                <tbody>
                  {rows(d).map((r) => <One key={r.known.name} row={r} may={may} during={during} />)}
                </tbody>
              </table>
            </div>
          </div>
        )}
      </Loaded>
    </div>
  );
}

type During = <T>(work: Promise<T>) => Promise<T>;

function One({ row, may, during }: { row: Row; may: boolean; during: During }) {
  const { known: k, feed: f, busy } = row;
  const { marks, why } = state(row);
  const held = !!f?.imported;
  return (
    <tr>
      <th scope="row">
        {k.title} <code className="dim">{k.name}</code>
        {k.gives && <p className="dim small">{k.gives}</p>}
        {held && k.kind !== 'starter' && k.home && <p className="dim small">{text.sourceAndLicence(k.home, k.licence)}</p>}
      </th>
      <td>
        <p className="row marks">
          {marks.map((m) => <Mark key={m.word} tone={m.tone}>{m.word}</Mark>)}
          {busy && <Mark tone="busy">{busyText(busy)}</Mark>}
        </p>
        {why.map((w) => <p key={w} className="small">{w}</p>)}
      </td>
      <td data-label={text.heldOfIt}>
        {held && (
          <>
            <p>{text.nRecords(f.records)}</p>
            {f.refused > 0 && <p className="small warn">{text.nRefused(f.refused)}</p>}
            {f.dated && <p className="dim small">{text.datedStale(asDay(f.dated), f.staleAt && !f.stale ? asDay(f.staleAt) : '')}</p>}
            <p className="dim small">{text.importedFrom(asMinute(f.imported), f.document ?? '')}</p>
          </>
        )}
      </td>
      <td data-label={text.comesIn}>{comesIn(row).map((l, i) => <p key={l} className={i > 0 ? 'dim small' : undefined}>{l}</p>)}</td>
      {may && <td className="orders">{k.network && <Orders row={row} during={during} />}</td>}
    </tr>
  );
}
