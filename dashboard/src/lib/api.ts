// The API, as pages call it: JSON in and out, errors as sentences.
import { currentKey, signOut } from './session';
import type { List } from './types';

const TRIES = 4; // of what only reads, while the server says 429 or 503
const LONGEST_WAIT_S = 10;
const PATIENCE_MS = 60_000;

export class Problem extends Error {
  constructor(
    readonly status: number, // 0: no answer came
    readonly title: string,
    detail: string,
    readonly path: string | null = null, // JSON pointer to the member at fault
  ) {
    super(detail);
  }
}

export type Query = Record<string, string | number | boolean | null | undefined>;

export interface Ask {
  query?: Query;
  body?: unknown;
  signal?: AbortSignal;
  key?: string; // instead of the session's, to try one out
}

// A path from its segments, each escaped.
export const at = (...segments: string[]) => `/v1/${segments.map(encodeURIComponent).join('/')}`;
export const inChannel = (channel: string, ...segments: string[]) => at('channels', channel, ...segments);

export function withQuery(path: string, query: Query = {}): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') given.set(name, String(value));
  }
  const text = given.toString();
  return text ? `${path}?${text}` : path;
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

export const isAbort = (error: unknown) => error instanceof DOMException && error.name === 'AbortError';

export async function fetchApi(method: string, path: string, ask: Ask = {}): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  const key = ask.key ?? currentKey();
  if (key) headers.Authorization = `Bearer ${key}`;
  if (ask.body !== undefined) headers['Content-Type'] = 'application/json';
  return fetch(withQuery(path, ask.query), {
    method,
    headers,
    body: ask.body === undefined ? undefined : JSON.stringify(ask.body),
    signal: ask.signal,
    cache: 'no-store',
    credentials: 'omit',
    redirect: 'error',
  });
}

export async function problemOf(answer: Response): Promise<Problem> {
  const text = await answer.text().catch(() => '');
  try {
    const { title, detail, path, index } = JSON.parse(text);
    const where = typeof index === 'number' ? ` (element ${index})` : '';
    return new Problem(answer.status, String(title), `${detail}${where}`, path ?? null);
  } catch {
    return new Problem(answer.status, 'Error', `The server answered with status ${answer.status}.`);
  }
}

// The same, with an end to its patience and a sentence for what the network did.
async function fetchOnce(method: string, path: string, ask: Ask): Promise<Response> {
  const patience = new AbortController();
  const given = ask.signal;
  const pass = () => patience.abort(given?.reason);
  if (given?.aborted) pass();
  given?.addEventListener('abort', pass);
  const timer = setTimeout(() => patience.abort('patience'), PATIENCE_MS);
  try {
    return await fetchApi(method, path, { ...ask, signal: patience.signal });
  } catch (error) {
    if (given?.aborted) throw new DOMException('given up', 'AbortError');
    if (patience.signal.aborted) throw new Problem(0, 'No answer', 'The server did not answer within a minute.');
    throw new Problem(0, 'No connection', 'The server cannot be reached. Is it running, and is the network up?');
  } finally {
    clearTimeout(timer);
    given?.removeEventListener('abort', pass);
  }
}

async function answered(method: string, path: string, ask: Ask): Promise<Response> {
  for (let tries = 1; ; tries++) {
    const answer = await fetchOnce(method, path, ask);
    if (answer.ok) return answer;
    const problem = await problemOf(answer);
    const wait = Number(answer.headers.get('Retry-After'));
    const again = (answer.status === 503 || answer.status === 429) && wait > 0 && wait <= LONGEST_WAIT_S;
    if (method === 'GET' && again && tries < TRIES) {
      await pause(wait * 1000, ask.signal);
      continue;
    }
    if (answer.status === 401 && !ask.key) signOut(`You were signed out: ${problem.message}.`);
    throw problem;
  }
}

export async function request<T>(method: string, path: string, ask: Ask = {}): Promise<T> {
  const answer = await answered(method, path, ask);
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

export const api = {
  get: <T>(path: string, query?: Query, signal?: AbortSignal) => request<T>('GET', path, { query, signal }),
  text: async (path: string, signal?: AbortSignal) => (await answered('GET', path, { signal })).text(), // to the byte
  post: <T>(path: string, body?: unknown) => request<T>('POST', path, { body }),
  put: <T>(path: string, body: unknown) => request<T>('PUT', path, { body }),
  patch: <T>(path: string, body: unknown) => request<T>('PATCH', path, { body }),
  delete: (path: string) => request<void>('DELETE', path),
  page: <T>(path: string, query: Query, cursor: string | null, signal?: AbortSignal) =>
    request<List<T>>('GET', path, { query: { ...query, cursor }, signal }),
};

export function messageOf(error: unknown): string {
  if (error instanceof Problem) {
    const text = error.message.charAt(0).toUpperCase() + error.message.slice(1);
    return /[.!?)]$/.test(text) ? text : `${text}.`;
  }
  return error instanceof Error ? error.message : String(error);
}
