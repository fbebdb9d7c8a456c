import { text } from '../text';

// Risk shows what a step is worth: the risk now, and after it.
export function Risk({ risk, after }: { risk: number; after: number }) {
  const tone = risk >= 70 ? 'bad' : risk >= 30 ? 'warn' : 'quiet';
  return (
    <p className={`risk risk-${tone}`}>
      <span className="hidden">{text.risk} </span><b>{risk}</b>{after < risk && <span> → {after}</span>}
    </p>
  );
}
