import { useSyncExternalStore } from 'react';

// The token lives in this tab's sessionStorage alone: httpapi's package comment says why it is no cookie.
const key = 'firmward-token';
const listeners = new Set<() => void>();

function tell() {
  for (const l of listeners) l();
}

export function token(): string {
  return sessionStorage.getItem(key) ?? '';
}

export function logIn(secret: string) {
  sessionStorage.setItem(key, secret);
  tell();
}

export function logOut() {
  sessionStorage.removeItem(key);
  tell();
}

// useToken gives the token of the person at the screen, empty when nobody is logged in.
export function useToken(): string {
  return useSyncExternalStore((l) => {
    listeners.add(l);
    return () => listeners.delete(l);
  }, token);
}
