import { Button, Modal, NativeSelect } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useId, useRef, useState, type FormEvent } from 'react';
import { answer, api, type Schemas } from '../api/client';
import { Told } from '../shell/Told';
import { asDay } from '../shell/time';
import { text } from '../text';
import { busyText, type Feeds } from './state';

type During = <T>(work: Promise<T>) => Promise<T>;

// Import takes a document or an archive from this computer. What came of it stands beside the button.
export function Import({ feeds, during }: { feeds: Feeds; during: During }) {
  const [open, show] = useState(false);
  const [done, tell] = useState<Schemas['Feed']>();
  const queries = useQueryClient();
  const close = () => show(false);
  return (
    <div className="row">
      <Button onClick={() => show(true)}>{text.importFile}</Button>
      <span role="status">{done && text.importDone(done.name, done.records, done.document ?? '', asDay(done.dated), done.refused)}</span>
      <Modal opened={open} onClose={close} title={text.importFile} centered lockScroll={false} closeOnClickOutside={false} closeButtonProps={{ 'aria-label': text.close }}>
        <Form feeds={feeds} during={during} onClose={close} onDone={(f) => {
          tell(f);
          close();
          void queries.invalidateQueries();
        }} />
      </Modal>
    </div>
  );
}

// Form asks for a file and sends it as it is. Leaving ends the import: nothing is half-imported.
function Form({ feeds, during, onDone, onClose }: { feeds: Feeds; during: During; onDone: (f: Schemas['Feed']) => void; onClose: () => void }) {
  const [file, choose] = useState<File | null>(null);
  const [source, setSource] = useState('');
  const over = useRef(new AbortController());
  const id = useId();
  const send = useMutation({
    mutationFn: (f: File) => {
      over.current = new AbortController();
      return during(answer(api.POST('/api/v1/feeds/import', {
        params: { query: { name: f.name, source: source || undefined } }, headers: { 'Content-Type': 'application/octet-stream' },
        body: f as unknown as string, bodySerializer: (b) => b, signal: over.current.signal, // the description of the API calls bytes a string
      })));
    },
    onSuccess: onDone,
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (file) send.mutate(file);
  };
  const cancel = () => {
    over.current.abort();
    onClose();
  };
  const busy = feeds.importing?.find((i) => i.document === file?.name);
  return (
    <form onSubmit={submit} className="stack">
      <p>{text.importWhat}</p>
      <div className="file">
        <label htmlFor={id}>{text.fileToImport}</label>
        <input id={id} type="file" required disabled={send.isPending} onChange={(e) => choose(e.currentTarget.files?.[0] ?? null)} data-autofocus />
      </div>
      <NativeSelect label={text.ofFeed} description={text.ofFeedHelp} value={source} disabled={send.isPending} onChange={(e) => setSource(e.currentTarget.value)}
        data={[{ value: '', label: text.byContent }, ...feeds.known.map((k) => ({ value: k.name, label: `${k.name}: ${k.title}` }))]} />
      <Told error={send.error} />
      <div className="row row-end">
        <span role="status">{send.isPending && (busy ? busyText(busy) : text.sending)}</span>
        <Button variant="default" onClick={cancel}>{text.cancel}</Button>
        <Button type="submit" loading={send.isPending} disabled={!file}>{text.importConfirm}</Button>
      </div>
    </form>
  );
}
