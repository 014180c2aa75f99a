// Events, their calls and jobs, as the API shows them, and the filters that find them.
import type { Query } from './api';

export type CallState = 'waiting' | 'held' | 'succeeded' | 'failed' | 'cancelled';

export interface Attempt {
  n: number;
  at: string;
  durationMs: number;
  verdict: string;
  status: number | null;
  reason: string | null;
}

export interface Timings {
  dnsMs: number | null;
  connectMs: number | null;
  tlsMs: number | null;
  firstByteMs: number | null;
  totalMs: number | null;
  reused: boolean | null;
}

export interface LoggedAttempt extends Attempt {
  timings?: Timings | null;
  response: string | null;
  responseTruncated?: boolean;
}

export interface Explain {
  code: string;
  text: string;
  at: string | null;
}

export interface Call {
  _id: string;
  event: string;
  webhook: string;
  type: string;
  subscription: string;
  notification: string | null;
  state: CallState;
  attempts: number;
  nextAttemptAt: string | null;
  heldReason?: string;
  lastAttempt: Attempt | null;
  createdAt: string;
  explain?: Explain;
}

export interface CallDetail extends Call {
  attemptLog: LoggedAttempt[];
  attemptLogTruncated?: boolean;
}

export interface EventRow {
  _id: string;
  type: string;
  subscription: string;
  createdAt: string;
}

export interface EventDetail extends EventRow {
  calls: Call[];
  webhooks?: { _id: string; url: string; code: string; text: string }[];
}

export interface Job {
  _id: string;
  kind: 'replay' | 'retry' | 'cancel';
  webhook: string | null;
  state: 'running' | 'paused' | 'done' | 'cancelled' | 'failed';
  dryRun: boolean;
  since: string | null;
  until: string | null;
  states: string[];
  types: string[];
  subscription: string | null;
  notification: string | null;
  error: string | null;
  pace: number;
  matched: number;
  done: number;
  skipped: number;
  progress: number;
  position: string | null;
  reason: string | null;
  createdAt: string;
  updatedAt: string;
  finishedAt: string | null;
}

export const hasEnded = ({ state }: { state: string }) =>
  state === 'done' || state === 'cancelled' || state === 'failed' || state === 'succeeded';

// ---- time ranges ----

export const RANGES = [
  ['', 'Any time'],
  ['15m', 'Last 15 minutes'],
  ['1h', 'Last hour'],
  ['today', 'Today'],
  ['24h', 'Last 24 hours'],
  ['7d', 'Last 7 days'],
  ['custom', 'From … to …'],
] as const;

const LENGTHS: Record<string, number> = { '15m': 15 * 60_000, '1h': 3_600_000, '24h': 86_400_000, '7d': 7 * 86_400_000 };

export interface Span {
  since: string | null;
  until: string | null;
}

// A range that goes up to now has no end: what comes in while somebody looks belongs to it.
export function spanOf(range: string, since: string | null, until: string | null, nowMs: number): Span {
  const ms = LENGTHS[range];
  if (ms) return { since: new Date(nowMs - ms).toISOString(), until: null };
  if (range === 'today') return { since: new Date(new Date(nowMs).setHours(0, 0, 0, 0)).toISOString(), until: null };
  return range === 'custom' ? { since, until } : { since: null, until: null };
}

// ---- what is searched for ----

export const FILTERS = ['state', 'webhook', 'type', 'subscription', 'notification', 'error'] as const;
export type Filter = (typeof FILTERS)[number];

// From the address, so that a search can be kept and sent to somebody.
export function filtersOf(given: URLSearchParams, names: readonly Filter[], nowMs: number): Query {
  const query: Query = {};
  for (const name of names) query[name] = given.get(name);
  const range = given.get('range') ?? '';
  return { ...query, ...spanOf(range, given.get('since'), given.get('until'), nowMs) };
}

const listOf = (text: unknown) => (text ? String(text).split(',') : undefined);

// The same as the body of a job.
export function jobFilter(query: Query): Record<string, unknown> {
  const { state, type, ...rest } = query;
  const body: Record<string, unknown> = { states: listOf(state), types: listOf(type), ...rest };
  for (const [name, value] of Object.entries(body)) if (!value) delete body[name];
  return body;
}
