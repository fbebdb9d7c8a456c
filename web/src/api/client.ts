import createClient from 'openapi-fetch';
import { text } from '../text';
import type { components, paths } from './schema';
import { logOut, token } from './session';

export type Schemas = components['schemas'];

// Trouble is a problem as the server told it (RFC 9457), or that no answer came.
export class Trouble extends Error {
  constructor(
    readonly code: Schemas['Problem']['code'] | 'no-answer',
    detail: string,
    readonly where: string[] = [],
  ) {
    super(detail);
  }
}

export const api = createClient<paths>({ baseUrl: '/' });

api.use({
  onRequest({ request }) {
    if (token() && !request.headers.has('Authorization')) request.headers.set('Authorization', `Bearer ${token()}`);
    return request;
  },
  onResponse({ request, response }) {
    // A token that is no longer valid ends the session; the one that a person just typed is theirs to correct.
    if (response.status === 401 && token() && request.headers.get('Authorization') === `Bearer ${token()}`) logOut();
  },
});

// answer gives what the server said, or throws Trouble.
export async function answer<T>(call: Promise<{ data?: T; error?: Schemas['Problem']; response: Response }>): Promise<T> {
  let got;
  try {
    got = await call;
  } catch (e) {
    if (e instanceof DOMException && e.name === 'AbortError') throw e;
    throw new Trouble('no-answer', text.noAnswer);
  }
  if (got.response.ok) return got.data as T;
  const p = got.error;
  if (!p || typeof p.detail !== 'string') throw new Trouble('internal', text.oddAnswer(got.response.status));
  return Promise.reject(
    new Trouble(p.code, p.detail, (p.errors ?? []).map((e) => [e.location, e.message].filter(Boolean).join(': '))),
  );
}
