import type { ReactNode } from 'react';

export type Tone = 'bad' | 'warn' | 'good' | 'busy' | 'quiet';

const shapes: Record<Tone, string> = { bad: '▲', warn: '◆', good: '✓', busy: '●', quiet: '–' };

// Mark is a state: a word, a shape and a colour, so that none of them is needed alone.
export function Mark({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span className={`mark mark-${tone}`}>
      <span aria-hidden="true">{shapes[tone]}</span> {children}
    </span>
  );
}
