import { NativeSelect } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api } from '../api/client';
import { Check } from '../shell/Check';
import { useMay } from '../shell/Shell';
import { Loaded } from '../shell/Told';
import { text } from '../text';
import { Add } from './Add';
import { Recipients } from './Recipients';

// Notices is who is told of what, whether it arrives, and what a digest would say now.
export function Notices() {
  const may = useMay('admin');
  const query = useQuery({
    queryKey: ['recipients'], queryFn: ({ signal }) => answer(api.GET('/api/v1/recipients', { signal })),
    refetchInterval: 30_000, // no event tells of a delivery
  });
  return (
    <div className="page">
      <h1>{text.notices}</h1>
      <section aria-labelledby="told">
        <h2 id="told">{text.whoIsTold}</h2>
        <div className="stack-tight">
          <p className="dim">{text.whoIsToldHelp}</p>
          <Loaded query={query}>
            {(d) => (d.items.length === 0 ? <p>{text.noRecipients}</p> : <Recipients items={d.items} />)}
          </Loaded>
          {may ? <Add /> : <p className="dim">{text.adminAdds}</p>}
        </div>
      </section>
      <section aria-labelledby="preview">
        <h2 id="preview">{text.preview}</h2>
        <Preview />
      </section>
    </div>
  );
}

function Preview() {
  const [details, name] = useState(false);
  const [digest, choose] = useState<'daily' | 'weekly'>('daily');
  const query = useQuery({
    queryKey: ['preview', details, digest], placeholderData: keepPreviousData,
    queryFn: ({ signal }) => answer(api.GET('/api/v1/notices/preview', { params: { query: { details, digest } }, signal })),
  });
  return (
    <div className="stack-tight">
      <p className="dim">{text.previewHelp}</p>
      <div className="row choices">
        <NativeSelect aria-label={text.previewOf} value={digest} onChange={(e) => choose(e.currentTarget.value as typeof digest)}
          data={(['daily', 'weekly'] as const).map((value) => ({ value, label: text.previewSpan[value] }))} />
        <Check label={text.previewDetails} checked={details} onChange={name} />
      </div>
      <Loaded query={query}>
        {(n) => (
          <article className="card stack-tight" aria-label={text.preview}>
            <h3>{n.title}</h3>
            <div>{n.lines.map((l, i) => <p key={i}>{l}</p>)}</div>
            <p className="strong">{n.action}</p>
          </article>
        )}
      </Loaded>
    </div>
  );
}
