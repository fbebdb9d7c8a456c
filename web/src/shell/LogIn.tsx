import { Button, PasswordInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { answer, api } from '../api/client';
import { logIn } from '../api/session';
import { text } from '../text';
import { Told } from './Told';

// LogIn asks for a token once and tries it before it is kept.
export function LogIn() {
  const [secret, setSecret] = useState('');
  const enter = useMutation({
    mutationFn: async (s: string) => {
      await answer(api.GET('/api/v1/version', { headers: { Authorization: `Bearer ${s}` } }));
      return s;
    },
    onSuccess: logIn,
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    enter.mutate(secret.trim());
  };
  return (
    <main className="login">
      <h1>firmward</h1>
      <p>{text.promise}</p>
      <form onSubmit={submit} className="stack">
        <PasswordInput label={text.token} description={text.tokenHelp} value={secret} onChange={(e) => setSecret(e.currentTarget.value)}
          required autoFocus autoComplete="off" spellCheck={false} visibilityToggleButtonProps={{ 'aria-label': text.showToken }} />
        <Told error={enter.error} />
        <Button type="submit" loading={enter.isPending}>{text.logIn}</Button>
      </form>
      <p className="dim">{text.tokenWhere}</p>
    </main>
  );
}
