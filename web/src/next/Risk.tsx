import type { Schemas } from '../api/client';
import { text } from '../text';

const tones = { 'act-now': 'bad', plan: 'warn', watch: 'quiet', accept: 'quiet' } as const;

// Risk shows what a step is worth: the risk now, and after it. Its colour says how soon, not how high: the order is made by deadlines.
export function Risk({ risk, after, bucket }: { risk: number; after: number; bucket: Schemas['NextStep']['bucket'] }) {
  return (
    <p className={`risk risk-${tones[bucket]}`}>
      <span className="hidden">{text.risk} </span><b>{risk}</b>{after < risk && <span> → {after}</span>}
    </p>
  );
}
