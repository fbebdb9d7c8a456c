import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, type ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { answer, api } from '../api/client';
import { logOut } from '../api/session';
import { useEventStream, useLive } from '../events/live';
import { RedButton, StopBanner } from '../stopall/RedButton';
import { text } from '../text';

const pages = [
  ['/', text.today],
  ['/devices', text.devices],
  ['/rollouts', text.rollouts],
  ['/feeds', text.feeds],
  ['/notices', text.notices],
] as const;

export function useVersion() {
  return useQuery({ queryKey: ['version'], queryFn: ({ signal }) => answer(api.GET('/api/v1/version', { signal })) });
}

const roles = ['viewer', 'operator', 'approver', 'admin'];

// useMay tells whether the person's role includes another. It only spares buttons that would be refused: the server decides.
export function useMay(role: 'operator' | 'admin'): boolean {
  return roles.indexOf(useVersion().data?.role ?? '') >= roles.indexOf(role);
}

// Shell stands around every page: where one is, who one is, and the red button.
export function Shell({ secret, children }: { secret: string; children: ReactNode }) {
  useEventStream(secret);
  const version = useVersion().data;
  const { connected } = useLive();
  const [at] = useLocation();
  const main = useRef<HTMLElement>(null);
  const before = useRef(at);
  useEffect(() => {
    if (before.current === at) return;
    before.current = at;
    window.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true }); // a screen reader hears of the new page; its heading stays below the bar
  }, [at]);
  return (
    <>
      <a className="skip" href="#main">{text.skip}</a>
      <header className="top">
        <Link href="/" className="brand">firmward</Link>
        <nav aria-label={text.pages}>
          {pages.map(([href, name]) => {
            const here = href === '/' ? at === '/' : at.startsWith(href);
            return <Link key={href} href={href} aria-current={here ? 'page' : undefined}>{name}</Link>;
          })}
        </nav>
        <div className="who">
          <span className="live" role="status"><span aria-hidden="true">{connected ? '●' : '○'}</span> {connected ? text.live : text.notLive}</span>
          {version?.lab && <span className="mark mark-quiet lab">{text.simulated}</span>}
          {version && <span className="name">{version.person} <span className="dim">({version.role})</span></span>}
          <Button variant="subtle" size="compact-sm" onClick={logOut}>{text.logOut}</Button>
        </div>
        <RedButton />
      </header>
      <StopBanner />
      <main id="main" ref={main} tabIndex={-1}>{children}</main>
      {version && <footer className="foot">{text.foot(version.person, version.role, version.version, version.origin)}{version.lab && ` ${text.simulatedFoot}`}</footer>}
    </>
  );
}
