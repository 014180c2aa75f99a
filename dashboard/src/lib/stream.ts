// Server-sent events by fetch: the key goes in a header, which an EventSource cannot send.
import { Problem, type Query, fetchApi, isAbort, messageOf, problemOf } from './api';
import { signOut } from './session';

export interface Message {
  id: string | null;
  event: string;
  data: string;
}

const LONGEST_LINE = 4 * 1024 * 1024;

// The messages of a stream as they come. One with an id and no data only moves the place.
export async function* messages(body: ReadableStream<Uint8Array>): AsyncGenerator<Message> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  let message: Message = { id: null, event: 'message', data: '' };
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
      rest = lines.pop()!;
      if (rest.length > LONGEST_LINE) throw new Problem(0, 'No stream', 'The server sent a line without an end.');
      for (const line of lines) {
        if (line !== '') {
          message = withLine(message, line);
        } else {
          yield message;
          message = { id: null, event: 'message', data: '' };
        }
      }
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

function withLine(message: Message, line: string): Message {
  const colon = line.indexOf(':');
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
  switch (name) {
    case 'id': return { ...message, id: value };
    case 'event': return { ...message, event: value };
    case 'data': return { ...message, data: message.data ? `${message.data}\n${value}` : value };
    default: return message; // a comment, or what later versions add
  }
}

// ---- kept open ----

export type Link = { state: 'connecting' } | { state: 'open' } | { state: 'lost'; why: string; againAt: number } | { state: 'refused'; error: unknown };

export interface Follow {
  path: string;
  query: Query;
  after: string | null; // where to go on; null = from now
  signal: AbortSignal;
  onMessage: (message: Message) => void;
  onLink: (link: Link) => void;
}

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;

const maySoonBeWell = (error: unknown) =>
  !(error instanceof Problem) || error.status === 0 || error.status === 429 || error.status >= 500;

const untilOrAbort = (ms: number, signal: AbortSignal) => new Promise<void>((resolve) => {
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    resolve();
  });
});

// Reads until the signal says stop. A connection that is lost is made again, later each time, and
// goes on behind the last message.
export async function follow({ path, query, after, signal, onMessage, onLink }: Follow): Promise<void> {
  let place = after;
  let wait = FIRST_WAIT_MS;
  while (!signal.aborted) {
    let askedToWait = 0;
    let why = 'The connection has ended.';
    onLink({ state: 'connecting' });
    try {
      const answer = await fetchApi('GET', path, { query: place === null ? query : { ...query, after: place }, signal });
      if (!answer.ok || !answer.body) {
        askedToWait = Number(answer.headers.get('Retry-After')) * 1000 || 0;
        throw await problemOf(answer);
      }
      onLink({ state: 'open' });
      for await (const message of messages(answer.body)) {
        if (signal.aborted) return;
        place = message.id ?? place;
        wait = FIRST_WAIT_MS;
        if (message.data || message.id !== null) onMessage(message);
      }
    } catch (error) {
      if (signal.aborted || isAbort(error)) return;
      if (!maySoonBeWell(error)) {
        if (error instanceof Problem && error.status === 401) signOut(`You were signed out: ${error.message}.`);
        onLink({ state: 'refused', error });
        return;
      }
      why = error instanceof Problem ? messageOf(error) : 'The connection was lost.';
    }
    if (signal.aborted) return;
    const ms = Math.max(wait * (0.8 + 0.4 * Math.random()), askedToWait);
    onLink({ state: 'lost', why, againAt: Date.now() + ms });
    await untilOrAbort(ms, signal);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}
