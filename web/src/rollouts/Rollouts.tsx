import { Button } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { answer, api, type Schemas } from '../api/client';
import { product } from '../devices/product';
import { Mark } from '../shell/Mark';
import { Told } from '../shell/Told';
import { asMinute } from '../shell/time';
import { text } from '../text';
import { Bar } from './Bar';
import { rolloutTone } from './states';

// Rollouts lists what went out, what is going out and what waits.
export function Rollouts() {
  const query = useInfiniteQuery({
    queryKey: ['rollouts'],
    queryFn: ({ pageParam, signal }) => answer(api.GET('/api/v1/rollouts', { params: { query: { after: pageParam, limit: 1000 } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next,
  });
  const releases = useQuery({
    queryKey: ['releases'], queryFn: ({ signal }) => answer(api.GET('/api/v1/releases', { params: { query: { limit: 1000 } }, signal })),
  });
  const release = new Map(releases.data?.items.map((r) => [r.id, r]));
  // The server pages by id; the newest is what a person looks for.
  const all = query.data?.pages.flatMap((p) => p.items).sort((a, b) => Date.parse(b.created) - Date.parse(a.created));
  return (
    <div className="page">
      <h1>{text.rollouts}</h1>
      <Told error={query.error} />
      {!all && query.isPending && <p className="dim">{text.loading}</p>}
      {all?.length === 0 && <p>{text.noRollouts}</p>}
      <ul className="plain">{all?.map((r) => <One key={r.id} rollout={r} release={release.get(r.release)} />)}</ul>
      {query.hasNextPage && <Button variant="default" loading={query.isFetchingNextPage} onClick={() => query.fetchNextPage()}>{text.older}</Button>}
    </div>
  );
}

export function releaseName(r: Schemas['Release']): string {
  return `${product({ vendor: r.vendor, model: r.models.join(', ') })} ${r.version}`;
}

function One({ rollout: r, release }: { rollout: Schemas['Rollout']; release?: Schemas['Release'] }) {
  const name = release ? releaseName(release) : r.release;
  return (
    <li className="card rollout">
      <div>
        <p className="row">
          <Link href={`/rollouts/${r.id}`} className="strong">{name}</Link>
          <Mark tone={rolloutTone[r.state]}>{text.rolloutState[r.state]}</Mark>
          {r.rehearsal && <Mark tone="quiet">{text.rehearsal}</Mark>}
        </p>
        {r.why && <p>{r.why}</p>}
        <p className="dim small">{text.releaseBy(r.id, r.author, asMinute(r.created))}</p>
      </div>
      <Bar rollout={r} />
    </li>
  );
}
