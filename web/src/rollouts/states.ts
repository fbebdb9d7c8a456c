import type { Schemas } from '../api/client';
import type { Tone } from '../shell/Mark';

export const rolloutTone: Record<Schemas['Rollout']['state'], Tone> = {
  planned: 'quiet', 'awaiting-approval': 'warn', running: 'busy', paused: 'warn', halted: 'bad', stopped: 'bad', finished: 'good',
};

export const targetTone: Record<Schemas['Target']['state'], Tone> = {
  pending: 'quiet', claimed: 'busy', installing: 'busy', settling: 'busy', verifying: 'busy', committing: 'busy', 'waiting-for-person': 'warn', 'waiting-for-wake': 'quiet', 'falling-back': 'warn', 'in-doubt': 'warn',
  succeeded: 'good', failed: 'bad', 'rolled-back': 'bad', skipped: 'quiet', refused: 'quiet',
};
