import type { Schemas } from '../api/client';
import { text } from '../text';

// Bar shows how far a rollout is; the same numbers stand beside it in words.
export function Bar({ rollout: r }: { rollout: Schemas['Rollout'] }) {
  const part = (n: number) => ({ width: r.total > 0 ? `${(100 * n) / r.total}%` : 0 });
  return (
    <div>
      <div className="bar" aria-hidden="true">
        <span className="bar-good" style={part(r.succeeded)} />
        <span className="bar-bad" style={part(r.failed)} />
        <span className="bar-busy" style={part(r.inFlight)} />
      </div>
      <p className="small dim">{text.progress(r.succeeded, r.total, r.failed, r.inFlight)}</p>
    </div>
  );
}
