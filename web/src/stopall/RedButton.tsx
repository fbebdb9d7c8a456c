import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api } from '../api/client';
import { Ask, type Question } from '../shell/Ask';
import { asMinute } from '../shell/time';
import { text } from '../text';

function useStopAll() {
  return useQuery({ queryKey: ['stop-all'], queryFn: ({ signal }) => answer(api.GET('/api/v1/stop-all', { signal })) });
}

const press: Question = {
  title: text.stopAll, what: text.stopAllWhat, confirm: text.stopAllConfirm, danger: true,
  run: (why) => answer(api.POST('/api/v1/stop-all', { body: { why } })),
};

const release: Question = {
  title: text.releaseAll, what: text.releaseAllWhat, confirm: text.releaseAllConfirm, hasNoWhy: true,
  run: () => answer(api.DELETE('/api/v1/stop-all')),
};

// RedButton stops every new start. It can be pressed while nothing is known of the state.
export function RedButton() {
  const stop = useStopAll().data;
  const [question, ask] = useState<Question | null>(null);
  return (
    <div className="red">
      {stop?.on ? <Button color="red" variant="outline" onClick={() => ask(release)}>{text.releaseAll}</Button>
        : <Button color="red" onClick={() => ask(press)}>{text.stopAll}</Button>}
      <Ask question={question} onClose={() => ask(null)} />
    </div>
  );
}

// StopBanner says on every page that the red button is pressed.
export function StopBanner() {
  const stop = useStopAll().data;
  return (
    <div role="status" aria-live="assertive">
      {stop?.on && (
        <p className="stopped">
          <strong>{text.stopped}</strong> {text.stoppedBy(stop.by ?? '', asMinute(stop.at))}
          {stop.why && ` ${text.because(stop.why)}`}
        </p>
      )}
    </div>
  );
}
