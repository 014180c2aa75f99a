// The URLs of a channel's webhooks, for pages that know only ids: of the first few hundred; beyond
// them the id has to do.
import { api, inChannel } from './api';
import { useLoad } from './hooks';
import type { List, Webhook } from './types';

const MOST = 200; // what one page of the API holds

export interface Webhooks {
  all: Webhook[];
  complete: boolean;
  urlOf: (id: string) => string; // or the id itself
}

export function useWebhooks(channel: string): Webhooks {
  const path = inChannel(channel, 'webhooks');
  const { data } = useLoad((signal) => api.get<List<Webhook>>(path, { limit: MOST }, signal), [path]);
  const all = data?.data ?? [];
  return {
    all,
    complete: data !== null && data.nextCursor === null,
    urlOf: (id) => all.find(({ _id }) => _id === id)?.url ?? id,
  };
}
