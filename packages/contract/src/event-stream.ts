/** One server-sent event. */
export interface ServerSentEvent {
  /** The last id seen in the stream, which a client sends as Last-Event-ID to resume. */
  readonly id: string | null;
  readonly event: string;
  readonly data: string;
}

/**
 * Reads `text/event-stream` as the HTML standard defines it (https://html.spec.whatwg.org/multipage/server-sent-events.html):
 * lines end in LF, CR or CRLF, which may be split between chunks; comments (heartbeats) are dropped; an event that the end of
 * the stream cut off is dropped too.
 */
export async function* parseEventStream(chunks: AsyncIterable<string>): AsyncGenerator<ServerSentEvent> {
  let id: string | null = null;
  let event = '';
  let data: string[] = [];
  for await (const line of splitLines(chunks)) {
    if (line === '') {
      if (data.length > 0) yield { id, event: event === '' ? 'message' : event, data: data.join('\n') };
      event = '';
      data = [];
      continue;
    }
    const colon = line.indexOf(':');
    if (colon === 0) continue;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') data.push(value);
    else if (field === 'event') event = value;
    else if (field === 'id') id = value;
  }
}

async function* splitLines(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  // A line may arrive in many chunks: each is searched once, and they are joined when the line ends.
  let begun: string[] = [];
  let held = '';
  for await (const chunk of chunks) {
    const lines = (held + chunk).split(/\r\n|\n|\r(?!$)/);
    const last = lines.pop() ?? '';
    // A CR at the end may be the first half of a CRLF, so it waits for the next chunk.
    held = last.endsWith('\r') ? '\r' : '';
    for (const line of lines) {
      yield begun.join('') + line;
      begun = [];
    }
    begun.push(held === '' ? last : last.slice(0, -1));
  }
  if (held !== '') yield begun.join('');
}
