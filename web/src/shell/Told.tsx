import { Alert, Button, Loader } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Trouble } from '../api/client';
import { text } from '../text';

// Told shows what went wrong in the server's own words.
export function Told({ error }: { error: unknown }) {
  if (!error) return null;
  const where = error instanceof Trouble ? error.where : [];
  return (
    <Alert color="red" role="alert" title={text.problem[error instanceof Trouble ? error.code : 'internal']}>
      {error instanceof Error ? error.message : String(error)}
      {where.length > 0 && (
        <ul>
          {where.map((w) => (
            <li key={w}>{w}</li>
          ))}
        </ul>
      )}
    </Alert>
  );
}

// Loaded shows a query's data. Data stays on the screen while newer data cannot be read, and says so.
export function Loaded<T>({ query, children }: { query: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  return (
    <>
      {query.error && (
        <div className="stack-tight">
          <Told error={query.error} />
          <div>
            <Button variant="default" onClick={() => query.refetch()}>{text.tryAgain}</Button>
          </div>
        </div>
      )}
      {query.data !== undefined ? children(query.data) : query.isPending && <Loader aria-label={text.loading} />}
    </>
  );
}
