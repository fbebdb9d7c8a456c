// span writes a duration of the server ("6h0m0s") without its zero parts: 6 h.
export function span(d: string): string {
  const parts = [...d.matchAll(/([\d.]+)([a-zµ]+)/g)].filter(([, n]) => Number(n) > 0);
  return parts.map(([, n, unit]) => `${n} ${unit === 'm' ? 'min' : unit}`).join(' ') || '0 s';
}
