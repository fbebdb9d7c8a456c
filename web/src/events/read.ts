// Message is one server-sent event.
export type Message = { event: string; id: string; data: string };

// parser cuts a stream of text into server-sent events (WHATWG HTML §9.2.6). Pieces may end anywhere.
export function parser(): (piece: string) => Message[] {
  let rest = '';
  let event = '';
  let id = '';
  let data: string[] = [];
  return (piece) => {
    rest += piece;
    const out: Message[] = [];
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.slice(0, end).replace(/\r$/, '');
      rest = rest.slice(end + 1);
      if (line === '') {
        if (data.length > 0) out.push({ event: event || 'message', id, data: data.join('\n') });
        event = '';
        data = [];
        continue;
      }
      const colon = line.indexOf(':');
      if (colon === 0) continue; // a comment
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'event') event = value;
      else if (field === 'data') data.push(value);
      else if (field === 'id') id = value;
    }
    return out;
  };
}
