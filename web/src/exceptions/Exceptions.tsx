import type { Schemas } from '../api/client';
import { Mark, type Tone } from '../shell/Mark';
import { asDay, asMinute } from '../shell/time';
import { text } from '../text';

type Exception = Schemas['Exception'];

const tone: Record<Exception['state'], Tone> = { 'in-force': 'good', 'awaiting-approval': 'warn', expired: 'quiet', fallen: 'bad' };

// Exceptions lists what people accepted, deferred or dismissed, and why what has ended ended.
export function Exceptions({ exceptions }: { exceptions: Exception[] }) {
  return (
    <ul className="plain">
      {exceptions.map((e) => (
        <li key={e.id} className="card row">
          <Mark tone={tone[e.state]}>{text.exceptionState[e.state]}</Mark>
          <strong>{text.exceptionKind[e.kind]}</strong>
          <span>{e.advisory ?? text.everyAdvisory}: {e.reason}</span>
          <span className="dim">{e.approver ? text.byApproved(e.author, e.approver) : e.author}, {asMinute(e.created)}</span>
          <span className="dim">{e.fellAt ? text.fell(asMinute(e.fellAt), e.fellWhy ?? '') : text.untilDay(asDay(e.expires))}</span>
        </li>
      ))}
    </ul>
  );
}
