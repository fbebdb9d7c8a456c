import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api, type Schemas } from '../api/client';
import { Ask, type Question } from '../shell/Ask';
import { Mark } from '../shell/Mark';
import { useMay } from '../shell/Shell';
import { Told } from '../shell/Told';
import { asMinute } from '../shell/time';
import { text } from '../text';

// Recipients lists who is told, and whether it arrives.
export function Recipients({ items }: { items: Schemas['Recipient'][] }) {
  const may = useMay('admin');
  const [question, ask] = useState<Question | null>(null);
  const remove = (name: string) =>
    ask({
      title: text.removeNamed(name), what: text.removeWhat(name), confirm: text.remove, danger: true, hasNoWhy: true,
      run: () => answer(api.DELETE('/api/v1/recipients/{name}', { params: { path: { name } } })),
    });
  return (
    <>
      <ul className="plain" aria-label={text.whoIsTold}>
        {items.map((r) => (
          <li key={r.name} className="card stack-tight">
            <p className="row"><strong>{r.name}</strong> <State of={r} /> <span>{text.byKindAt(r.kind, r.host)}</span></p>
            <p>{[text.digestAt(r.digest, r.hour, r.zone), text.atOnce(r.urgent), text.namesToo(r.details)].join(', ')}</p>
            {r.failures > 0 && <p>{text.triesFailed(r.failures, r.lastError ?? '', asMinute(r.retryAt))}</p>}
            <p className="dim small">
              {[r.lastSent && text.lastSent(asMinute(r.lastSent)), r.nextDigest && text.nextDigest(asMinute(r.nextDigest)), text.addedBy(r.by, asMinute(r.created))].filter(Boolean).join(' ')}
            </p>
            {may && <Orders name={r.name} onRemove={() => remove(r.name)} />}
          </li>
        ))}
      </ul>
      <Ask question={question} onClose={() => ask(null)} />
    </>
  );
}

function State({ of: r }: { of: Schemas['Recipient'] }) {
  if (r.failures > 0) return <Mark tone="bad">{text.doesNotArrive}</Mark>;
  return r.lastSent ? <Mark tone="good">{text.arrives}</Mark> : <Mark tone="quiet">{text.nothingSent}</Mark>;
}

// Orders are what an administrator can do with a recipient. What came of a try stands below it.
function Orders({ name, onRemove }: { name: string; onRemove: () => void }) {
  const queries = useQueryClient();
  const send = useMutation({
    mutationFn: () => answer(api.POST('/api/v1/recipients/{name}/try', { params: { path: { name } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ['recipients'] }),
  });
  return (
    <>
      <Told error={send.error} />
      <div className="row">
        <Button variant="default" loading={send.isPending} onClick={() => send.mutate()} aria-label={text.tryNamed(name)}>{text.tryIt}</Button>
        <Button variant="outline" color="red" onClick={onRemove} aria-label={text.removeNamed(name)}>{text.remove}</Button>
        <span role="status">{send.data && text.tried(send.data.title)}</span>
      </div>
    </>
  );
}
