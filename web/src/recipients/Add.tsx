import { Button, Modal, NativeSelect, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef, useState, type FormEvent } from 'react';
import { answer, api, type Schemas } from '../api/client';
import { Check } from '../shell/Check';
import { Told } from '../shell/Told';
import { text } from '../text';

type Made = Schemas['RecipientMade'];

const digests = ['daily', 'weekly', 'off'] as const;

// Add tells somebody new. What a webhook is signed with is shown once, until its reader says that it is kept.
export function Add() {
  const [open, show] = useState(false);
  const [made, keep] = useState<Made | null>(null);
  const close = () => {
    show(false);
    keep(null);
  };
  const done = (m: Made) => (m.key ? keep(m) : close());
  return (
    <div>
      <Button onClick={() => show(true)}>{text.add}</Button>
      <Modal opened={open} onClose={close} title={made ? text.keyTitle(made.recipient.name) : text.add} centered lockScroll={false} closeOnClickOutside={false}
        closeOnEscape={!made} withCloseButton={!made} closeButtonProps={{ 'aria-label': text.close }}>
        {made ? <Key secret={made.key ?? ''} onKept={close} /> : <Form onDone={done} onCancel={close} />}
      </Modal>
    </div>
  );
}

// Form asks for a recipient. The address is read from its field when it is sent and is in no state, no cache and no answer.
function Form({ onDone, onCancel }: { onDone: (m: Made) => void; onCancel: () => void }) {
  const [name, setName] = useState('');
  const [digest, setDigest] = useState<(typeof digests)[number]>('daily');
  const [hour, setHour] = useState(8);
  const [zone, setZone] = useState('');
  const [urgent, setUrgent] = useState(true);
  const [details, setDetails] = useState(false);
  const address = useRef<HTMLInputElement>(null);
  const queries = useQueryClient();
  const add = useMutation({
    mutationFn: async () => {
      const body = { name: name.trim(), address: address.current?.value.trim() ?? '', digest, hour, zone: zone.trim() || undefined, urgent, details };
      onDone(await answer(api.POST('/api/v1/recipients', { body }))); // not given to the cache: it may hold a key
    },
    onSuccess: () => queries.invalidateQueries({ queryKey: ['recipients'] }),
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    add.mutate();
  };
  return (
    <form onSubmit={submit} className="stack" autoComplete="off">
      <TextInput label={text.recipientName} description={text.recipientNameHelp} value={name} onChange={(e) => setName(e.currentTarget.value)} required data-autofocus spellCheck={false} />
      <TextInput label={text.recipientAddress} description={text.recipientAddressHelp} ref={address} type="password" autoComplete="off" spellCheck={false} required />
      <div className="pair">
        <NativeSelect label={text.digest} value={digest} onChange={(e) => setDigest(e.currentTarget.value as typeof digest)}
          data={digests.map((value) => ({ value, label: text.digestName[value] }))} />
        <NativeSelect label={text.hour} value={hour} onChange={(e) => setHour(Number(e.currentTarget.value))} disabled={digest === 'off'}
          data={Array.from({ length: 24 }, (_, i) => ({ value: String(i), label: text.hourOf(i) }))} />
      </div>
      <TextInput label={text.zone} description={text.zoneHelp} value={zone} onChange={(e) => setZone(e.currentTarget.value)} spellCheck={false} disabled={digest === 'off'} />
      <Check label={text.urgent} checked={urgent} onChange={setUrgent} />
      <Check label={text.details} help={text.detailsHelp} checked={details} onChange={setDetails} />
      <Told error={add.error} />
      <div className="row row-end">
        <Button variant="default" onClick={onCancel}>{text.cancel}</Button>
        <Button type="submit" loading={add.isPending}>{text.addConfirm}</Button>
      </div>
    </form>
  );
}

// Key shows what a webhook is signed with. The browser lends its clipboard to pages over TLS or on this machine only.
function Key({ secret, onKept }: { secret: string; onKept: () => void }) {
  const [copied, tell] = useState<boolean | null>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(secret);
      tell(true);
    } catch {
      tell(false);
    }
  };
  return (
    <div className="stack">
      <p>{text.keyWhat}</p>
      <TextInput label={text.key} value={secret} readOnly spellCheck={false} onFocus={(e) => e.currentTarget.select()} />
      <div className="row row-end">
        <span role="status">{copied === true && text.copied}{copied === false && text.notCopied}</span>
        <Button variant="default" onClick={copy} data-autofocus>{text.copy}</Button>
        <Button onClick={onKept}>{text.keyKept}</Button>
      </div>
    </div>
  );
}
