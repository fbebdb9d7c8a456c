import { NativeSelect, TextInput } from '@mantine/core';
import { useDebouncedCallback, useMediaQuery } from '@mantine/hooks';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, useState } from 'react';
import { Link, useSearchParams } from 'wouter';
import { answer, api, type Schemas } from '../api/client';
import { Mark } from '../shell/Mark';
import { Told } from '../shell/Told';
import { asMinute } from '../shell/time';
import { text } from '../text';
import { product } from './product';

const pageSize = 500;
const ahead = 100; // rows before the end at which the next page is asked for

type Filter = { site?: string; class?: string; owner?: string; text?: string };
const fields = ['site', 'class', 'owner', 'text'] as const;

// useFilter keeps the filter in the page's address, so it can be sent to a colleague.
function useFilter(): [Filter, (change: Filter) => void] {
  const [search, setSearch] = useSearchParams();
  const filter: Filter = Object.fromEntries(fields.map((f) => [f, search.get(f) || undefined]));
  const change = (c: Filter) =>
    setSearch((now) => {
      const next = new URLSearchParams(now);
      for (const [k, v] of Object.entries(c)) v ? next.set(k, v) : next.delete(k);
      return next;
    }, { replace: true });
  return [filter, change];
}

// Devices is the inventory: pages by cursor, and only the rows that are seen are drawn.
export function Devices() {
  const [filter, change] = useFilter();
  const query = useInfiniteQuery({
    queryKey: ['devices', filter],
    queryFn: ({ pageParam, signal }) => answer(api.GET('/api/v1/devices', { params: { query: { ...filter, after: pageParam, limit: pageSize } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next,
  });
  const rows = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <div className="page">
      <h1>{text.devices}</h1>
      <Filters filter={filter} change={change} classes={[...new Set(rows.map((d) => d.class))].sort()} />
      <Told error={query.error} />
      <p role="status" className="dim">
        {query.isPending ? text.loading : rows.length === 0 ? text.noneFits : text.nLoaded(rows.length, query.hasNextPage)}
      </p>
      {rows.length > 0 && <List rows={rows} more={query.hasNextPage} loadMore={() => !query.isFetching && query.fetchNextPage()} />}
    </div>
  );
}

function Filters({ filter, change, classes }: { filter: Filter; change: (c: Filter) => void; classes: string[] }) {
  const sites = useQuery({
    queryKey: ['sites'], queryFn: ({ signal }) => answer(api.GET('/api/v1/sites', { params: { query: { limit: 1000 } }, signal })),
  });
  return (
    <search className="filters">
      <Typed label={text.search} description={text.searchHelp} value={filter.text} onSettle={(v) => change({ text: v })} />
      <NativeSelect label={text.site} value={filter.site ?? ''} onChange={(e) => change({ site: e.currentTarget.value })}
        data={[{ value: '', label: text.all }, ...(sites.data?.items ?? []).map((s) => s.name)]} />
      <Typed label={text.class} value={filter.class} onSettle={(v) => change({ class: v })} list="classes" />
      <datalist id="classes">{classes.map((c) => <option key={c} value={c} />)}</datalist>
      <Typed label={text.owner} value={filter.owner} onSettle={(v) => change({ owner: v })} />
    </search>
  );
}

// Typed tells its value once typing has paused.
function Typed({ value = '', onSettle, ...rest }: { label: string; description?: string; list?: string; value?: string; onSettle: (v: string) => void }) {
  const [typed, type] = useState(value);
  const settle = useDebouncedCallback(onSettle, 250);
  return (
    <TextInput {...rest} type="search" value={typed} autoComplete="off" spellCheck={false} inputWrapperOrder={['label', 'input', 'description']}
      onChange={(e) => {
        type(e.currentTarget.value);
        settle(e.currentTarget.value.trim());
      }} />
  );
}

function List({ rows, more, loadMore }: { rows: Schemas['Device'][]; more: boolean; loadMore: () => void }) {
  const list = useRef<HTMLDivElement>(null);
  const narrow = useMediaQuery('(max-width: 48rem)') ?? false;
  const height = narrow ? 84 : 48;
  const virtual = useWindowVirtualizer({
    count: rows.length, estimateSize: () => height, overscan: 12, scrollMargin: list.current?.offsetTop ?? 0,
  });
  useEffect(() => virtual.measure(), [virtual, height]);
  const seen = virtual.getVirtualItems();
  const last = seen.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && last >= rows.length - ahead) loadMore();
  });
  return (
    <div role="table" aria-label={text.devices} aria-rowcount={more ? -1 : rows.length + 1} className="list">
      <div role="rowgroup">
        <div role="row" className="list-row list-head" aria-rowindex={1}>
          {[text.name, text.model, text.firmware, text.site, text.class, text.address, text.owner, text.lastSeen].map((h) => (
            <span key={h} role="columnheader">{h}</span>
          ))}
        </div>
      </div>
      <div role="rowgroup" ref={list} className="list-body" style={{ height: virtual.getTotalSize() }}>
        {seen.map((v) => {
          const d = rows[v.index]!;
          return (
            <div key={d.id} role="row" aria-rowindex={v.index + 2} className="list-row"
              style={{ height, transform: `translateY(${v.start - virtual.options.scrollMargin}px)` }}>
              <span role="cell"><Link href={`/devices/${d.id}`} className="strong">{d.name || d.id}</Link> {d.spare && <Mark tone="quiet">{text.spare}</Mark>} {d.retired && <Mark tone="quiet">{text.retired}</Mark>}</span>
              <span role="cell">{product(d) || text.unknown}</span>
              <span role="cell">{d.firmware || text.unknown}</span>
              <span role="cell">{d.site}</span>
              <span role="cell">{d.class}</span>
              <span role="cell">{d.addresses[0] ? <span className="mono">{d.addresses[0]}</span> : <span className="dim">{text.noAddress}</span>}</span>
              <span role="cell">{d.owner || <span className="dim">{text.noOwner}</span>}</span>
              <span role="cell">{asMinute(d.lastSeen) || text.never}</span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
