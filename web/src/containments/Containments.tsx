import type { Schemas } from '../api/client';
import { Mark, type Tone } from '../shell/Mark';
import { asMinute } from '../shell/time';
import { text } from '../text';

type Containment = Schemas['Containment'];

const tone: Record<Containment['state'], Tone> = { open: 'warn', refused: 'bad', applied: 'busy', contained: 'good', undone: 'bad', released: 'quiet' };

// Containments tells whether a device is cut off, and what proves it.
export function Containments({ containments }: { containments: Containment[] }) {
  return (
    <ul className="plain">
      {containments.map((c) => (
        <li key={c.id} className="card">
          <div className="row">
            <Mark tone={tone[c.state]}>{text.containState[c.state]}</Mark>
            <span>{c.why}</span>
            <span className="dim">{c.by}, {asMinute(c.created)}</span>
            {c.endedAt && <span className="dim">{text.endedOn(asMinute(c.endedAt))}</span>}
          </div>
          {c.proof.length > 0 && (
            <details className="more">
              <summary>{text.proof}</summary>
              <ul>{c.proof.map((p) => <li key={p.probe}>{p.ok ? text.asWanted : text.notAsWanted} {p.probe} <span className="dim">{p.note}</span></li>)}</ul>
            </details>
          )}
          {c.rules.length > 0 && (
            <details className="more">
              <summary>{text.mayStill(c.rules.filter((r) => r.allow).length)}</summary>
              <ul>{c.rules.map((r, i) => <li key={i}>{r.allow ? text.allow : text.block} {r.direction} {r.peer} {r.proto}{r.port ? ` ${r.port}` : ''} <span className="dim">{r.why}</span></li>)}</ul>
            </details>
          )}
        </li>
      ))}
    </ul>
  );
}
