import { Button, Modal, Textarea } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { text } from '../text';
import { Told } from './Told';

export type Question = {
  title: string;
  what: string; // what will happen
  confirm: string; // on the button
  danger?: boolean;
  needsWhy?: boolean;
  hasNoWhy?: boolean; // the operation takes none
  reason?: string; // label of the field
  run: (why: string) => Promise<unknown>;
};

// Ask lets a person give a reason and confirm. A refusal of the server is shown where it was asked.
export function Ask({ question, onClose }: { question: Question | null; onClose: () => void }) {
  return (
    <Modal opened={!!question} onClose={onClose} title={question?.title} centered lockScroll={false} closeButtonProps={{ 'aria-label': text.close }}>
      {question && <Form key={question.title} question={question} onClose={onClose} />}
    </Modal>
  );
}

function Form({ question: q, onClose }: { question: Question; onClose: () => void }) {
  const [why, setWhy] = useState('');
  const queries = useQueryClient();
  const act = useMutation({
    mutationFn: () => q.run(why.trim()),
    onSuccess: () => {
      void queries.invalidateQueries();
      onClose();
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    act.mutate();
  };
  return (
    <form onSubmit={submit} className="stack">
      <p>{q.what}</p>
      {!q.hasNoWhy && <Textarea label={q.reason ?? text.why} description={q.needsWhy ? undefined : text.optional} required={q.needsWhy} value={why}
        onChange={(e) => setWhy(e.currentTarget.value)} data-autofocus rows={3} />}
      <Told error={act.error} />
      <div className="row row-end">
        <Button variant="default" onClick={onClose}>{text.cancel}</Button>
        <Button type="submit" color={q.danger ? 'red' : undefined} loading={act.isPending} disabled={q.needsWhy && !why.trim()}>{q.confirm}</Button>
      </div>
    </form>
  );
}
