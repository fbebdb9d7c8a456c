import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api } from '../api/client';
import { Ask, type Question } from '../shell/Ask';
import { Told } from '../shell/Told';
import { text } from '../text';
import { hosts, type Row } from './state';

// Orders are what an administrator can do with a feed that comes over the network. Before the first word goes out it says to whom.
export function Orders({ row, during }: { row: Row; during: <T>(work: Promise<T>) => Promise<T> }) {
  const { known: k, feed: f, busy } = row;
  const [question, ask] = useState<Question | null>(null);
  const queries = useQueryClient();
  const path = { path: { name: k.name } };
  const fetching = useMutation({
    mutationFn: () => during(answer(api.POST('/api/v1/feeds/{name}/fetch', { params: path }))),
    onSettled: () => queries.invalidateQueries({ queryKey: ['feeds'] }),
  });
  const fetchNow = () =>
    ask({
      title: text.fetchTitle(k.name), what: `${text.asksOnly(hosts(k))} ${text.fetchWhat}`, confirm: text.fetchNow, hasNoWhy: true,
      run: async () => fetching.mutate(), // how far it is stands in the row
    });
  const follow = (on: boolean) =>
    ask({
      title: on ? text.followTitle(k.name) : text.unfollowTitle(k.name), what: on ? `${text.asksOnly(hosts(k))} ${text.followWhat}` : text.unfollowWhat,
      confirm: on ? text.follow : text.unfollow, hasNoWhy: true,
      run: () => answer(api.PATCH('/api/v1/feeds/{name}', { params: path, body: { follow: on } })),
    });
  const said = fetching.error instanceof Error && f?.fetch?.lastError?.includes(fetching.error.message); // the row says it
  if (!k.hosts?.length) return <p className="dim small">{text.needsAddress} <code>firmward feeds set {k.name} --url URL</code></p>;
  return (
    <>
      <div className="row">
        <Button variant="default" loading={fetching.isPending || busy?.document === 'network'} onClick={fetchNow} aria-label={text.fetchNamed(k.name)}>{text.fetchNow}</Button>
        {f?.fetch?.followed
          ? <Button variant="default" onClick={() => follow(false)} aria-label={text.unfollowNamed(k.name)}>{text.unfollow}</Button>
          : <Button variant="default" onClick={() => follow(true)} aria-label={text.followNamed(k.name)}>{text.follow}</Button>}
      </div>
      {!said && <Told error={fetching.error} />}
      <Ask question={question} onClose={() => ask(null)} />
    </>
  );
}
