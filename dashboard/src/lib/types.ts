// What the API answers, as far as the pages read it.

export type Role = 'admin' | 'manage' | 'ingest' | 'read';

export interface Me {
  role: Role;
  channel: string | null;
  key: string;
  version: string;
  serverTime: string;
}

export interface List<T> {
  data: T[];
  nextCursor: string | null;
  searchedTo?: string | null;
}

export interface Channel {
  _id: string;
  name: string;
  createdAt: string;
  updatedAt: string;
  trialEndsAt?: string | null;
  trialEnded?: boolean;
}

export const EVENT_TYPES = [
  'optIn', 'optOut', 'delivery', 'click', 'updateTopics', 'topicAdded', 'attributeUpdate',
] as const;

export interface Retry {
  maxRetries: number;
  initialDelay: number;
  factor: number;
  maxDelay: number;
}

export interface Webhook {
  _id: string;
  channel: string;
  url: string;
  events: string[];
  description: string | null;
  headers: Record<string, string>;
  keyType: 'hmac' | 'ed25519';
  publicKey?: string;
  enabled: boolean;
  disabledReason: string | null;
  failingSince: string | null;
  retry: Retry;
  createdAt: string;
  updatedAt: string;
  secret?: string; // only in the answer to its making
}

export interface Secrets {
  secret: string;
  keyType?: string;
  publicKey?: string;
  old?: { keyType: string; publicKey?: string; expiresAt: string }[];
}

export interface Key {
  _id: string;
  role: Role;
  channel: string | null;
  createdAt: string;
  expiresAt: string | null;
  key?: string; // only in the answer to its making
}

export type Range = 'hour' | 'day' | 'week';

export interface Latency {
  p50: number;
  p90: number;
  p95: number;
  p99: number;
  max: number;
}

export interface StatsStep {
  at: string;
  events: number;
  attempts: number;
  succeeded: number;
  failed: number;
  exhausted: number;
  p50: number | null;
  p95: number | null;
  p99: number | null;
  backlog: number | null; // the most that waited at once, held or not
}

export interface Stats {
  range: Range;
  step: number;
  since: string;
  until: string;
  webhook: string | null;
  totals: {
    events: number;
    attempts: number;
    succeeded: number;
    failed: number;
    exhausted: number;
    successRate: number | null;
    latencyMs: Latency | null;
  };
  backlog: number;
  held: number;
  oldestDue: string | null;
  series: StatsStep[];
}

export interface WebhookStats {
  webhook: string;
  url: string;
  enabled: boolean;
  events: number;
  attempts: number;
  successRate: number | null;
  p95: number | null;
  exhausted: number;
  backlog: number;
  held: number;
  oldestDue: string | null;
}

export interface Notice {
  _id: string;
  at: string;
  kind: string;
  channel: string | null;
  webhook: string | null;
  text: string;
  data: Record<string, unknown>;
}
