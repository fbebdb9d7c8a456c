import { Button } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { answer, api, type Schemas } from '../api/client';
import { Containments } from '../containments/Containments';
import { Exceptions } from '../exceptions/Exceptions';
import { Findings } from '../findings/Findings';
import { StepCard } from '../next/StepCard';
import { targetTone } from '../rollouts/states';
import { Mark } from '../shell/Mark';
import { Loaded, Told } from '../shell/Told';
import { asMinute } from '../shell/time';
import { text } from '../text';
import { WorkOrders } from '../workorders/WorkOrders';
import { AutoUpdates, hasOwnUpdates } from './AutoUpdates';
import { Identity } from './Identity';
import { product } from './product';
import { Relations } from './Relations';
import { timeline } from './timeline';

// Device is all that is known of one device.
export function Device({ id }: { id: string }) {
  const query = useQuery({
    queryKey: ['device', id, 'detail'], queryFn: ({ signal }) => answer(api.GET('/api/v1/devices/{ref}', { params: { path: { ref: id } }, signal })),
  });
  return (
    <div className="page">
      <p><Link href="/devices">{text.devices}</Link></p>
      <Loaded query={query}>{(d) => <Detail id={id} detail={d} />}</Loaded>
    </div>
  );
}

function Detail({ id, detail: d }: { id: string; detail: Schemas['DeviceDetail'] }) {
  const v = d.device;
  return (
    <>
      <h1>{v.name || v.id} <span className="dim">{product(v)}</span></h1>
      <p className="row">
        <span>{v.site}, {v.class}</span>
        {v.exposed && <Mark tone="bad">{text.exposed}</Mark>}
        {v.spare && <Mark tone="quiet">{text.spare}</Mark>}
        {v.updates && <Mark tone="warn">{text.updates[v.updates]}</Mark>}
        {v.neverContain && <Mark tone="warn">{text.neverContain}</Mark>}
        {v.retired && <Mark tone="quiet">{text.retired}</Mark>}
      </p>
      <Part id="step" title={text.nextStep}>{d.nextStep ? <StepCard step={d.nextStep} /> : <p className="dim">{text.notWeighedYet}</p>}</Part>
      <Part id="identity" title={text.identity}><Identity detail={d} /></Part>
      {d.relations.length > 0 && <Part id="relations" title={text.relations}><Relations detail={d} /></Part>}
      {hasOwnUpdates(d) && <Part id="auto" title={text.autoUpdates}><AutoUpdates detail={d} /></Part>}
      <Part id="findings" title={text.findings}><Findings findings={d.findings} /></Part>
      {d.exceptions.length > 0 && <Part id="exceptions" title={text.exceptions}><Exceptions exceptions={d.exceptions} /></Part>}
      {d.workOrders.length > 0 && <Part id="work" title={text.workOrders}><WorkOrders orders={d.workOrders} /></Part>}
      {d.containments.length > 0 && <Part id="contain" title={text.containments}><Containments containments={d.containments} /></Part>}
      {d.targets.length > 0 && <Part id="rollouts" title={text.rollouts}><Targets targets={d.targets} /></Part>}
      <Part id="timeline" title={text.timeline}><Timeline id={id} detail={d} /></Part>
    </>
  );
}

function Part({ id, title, children }: { id: string; title: string; children: ReactNode }) {
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {children}
    </section>
  );
}

function Targets({ targets }: { targets: Schemas['Target'][] }) {
  return (
    <ul className="plain">
      {targets.map((t) => (
        <li key={t.rollout} className="card row">
          <Mark tone={targetTone[t.state]}>{text.targetState[t.state]}</Mark>
          <Link href={`/rollouts/${t.rollout}`}>{t.from} → {t.want}</Link>
          {t.why && <span className="dim">{t.why}</span>}
        </li>
      ))}
    </ul>
  );
}

function Timeline({ id, detail }: { id: string; detail: Schemas['DeviceDetail'] }) {
  const history = useInfiniteQuery({
    queryKey: ['device', id, 'history'],
    queryFn: ({ pageParam, signal }) =>
      answer(api.GET('/api/v1/devices/{ref}/history', { params: { path: { ref: id }, query: { after: pageParam, limit: 50 } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next,
  });
  const subject = detail.device.id;
  const alone = useQuery({
    queryKey: ['device', subject, 'by-itself'],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/audit/leaves', { params: { query: { subject, action: 'changed-by-itself', limit: 1000 } }, signal })),
  });
  const error = history.error ?? alone.error;
  if (error) return <Told error={error} />;
  if (!history.data || !alone.data) return <p className="dim">{text.loading}</p>;
  const entries = timeline(detail, history.data.pages.flatMap((p) => p.items), history.hasNextPage, alone.data.items);
  return (
    <>
      <ol className="timeline">
        {entries.map((e, i) => (
          <li key={i} className={`when-${e.tone}`}>
            <time dateTime={e.at}>{asMinute(e.at)}</time>
            <span>{e.mark && <><Mark tone={e.tone}>{e.mark}</Mark> </>}{e.text} {e.by && <span className="dim small">{e.by}</span>}</span>
          </li>
        ))}
      </ol>
      {history.hasNextPage && <Button variant="default" loading={history.isFetchingNextPage} onClick={() => history.fetchNextPage()}>{text.older}</Button>}
    </>
  );
}
