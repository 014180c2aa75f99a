// The webhooks that somebody should look at, of one channel or of all.
import { api, inChannel } from '../lib/api';
import { count, duration, percent } from '../lib/format';
import { useLoad } from '../lib/hooks';
import { href } from '../lib/router';
import type { Channel, List, Range, WebhookStats } from '../lib/types';
import { LinkButton, StateBadge, Text, Time } from '../ui/basics';
import { Card, Empty, Load } from '../ui/page';
import { type Column, Table } from '../ui/table';

// An overview is no search: it looks through so many.
const WEBHOOKS_MAX = 1000;
const CHANNELS_MAX = 50;
const PAGE = 200;
const MOST = 10;
const GOOD_RATE = 0.95;
const EVERY_MS = 60_000;

interface Row extends WebhookStats {
  channel: string;
}

interface Found {
  bad: Row[];
  seen: number;
  all: boolean;
}

const isBad = ({ enabled, successRate, exhausted }: WebhookStats) =>
  !enabled || exhausted > 0 || (successRate !== null && successRate < GOOD_RATE);

const rank = ({ enabled, successRate }: WebhookStats) => (enabled ? successRate ?? 1 : 2);

async function lookThrough(channel: string, range: Range, found: Found, signal: AbortSignal) {
  const path = inChannel(channel, 'webhooks', 'stats');
  let cursor: string | null = null;
  do {
    const page: List<WebhookStats> = await api.page(path, { range, limit: PAGE }, cursor, signal);
    found.bad.push(...page.data.filter(isBad).map((each) => ({ ...each, channel })));
    found.seen += page.data.length;
    cursor = page.nextCursor;
  } while (cursor !== null && found.seen < WEBHOOKS_MAX);
  found.all &&= cursor === null;
}

async function look(channel: string | null, range: Range, signal: AbortSignal): Promise<Found> {
  const found: Found = { bad: [], seen: 0, all: true };
  if (channel !== null) {
    await lookThrough(channel, range, found, signal);
  } else {
    const channels = await api.get<List<Channel>>('/v1/channels', { limit: CHANNELS_MAX }, signal);
    found.all = channels.nextCursor === null;
    for (const { _id } of channels.data) {
      if (found.seen < WEBHOOKS_MAX) await lookThrough(_id, range, found, signal);
      else found.all = false;
    }
  }
  found.bad.sort((a, b) => rank(a) - rank(b));
  return found;
}

export function FailingWebhooks({ channel, range }: { channel: string | null; range: Range }) {
  const found = useLoad((signal) => look(channel, range, signal), [channel, range], EVERY_MS);
  return (
    <Card title="Webhooks that need a look" flush actions={channel !== null && (
      <LinkButton small to={href('c', channel, 'webhooks')}>All webhooks</LinkButton>
    )}>
      <Load from={found} rows={3}>{(data) => <Bad channel={channel} {...data} />}</Load>
    </Card>
  );
}

const columns = (withChannel: boolean): Column<Row>[] => [
  {
    name: 'Webhook',
    main: true,
    cell: ({ channel, webhook, url }) => <a href={href('c', channel, 'webhooks', webhook)}><Text lines={2}>{url}</Text></a>,
  },
  ...(withChannel
    ? [{ name: 'Channel', cell: ({ channel }: Row) => <a href={href('c', channel)}><Text>{channel}</Text></a> }]
    : []),
  { name: 'State', cell: ({ enabled }) => <StateBadge state={enabled ? 'failing' : 'disabled'} /> },
  { name: 'Success rate', number: true, cell: ({ successRate }) => percent(successRate) },
  { name: 'Latency p95', number: true, cell: ({ p95 }) => duration(p95) },
  { name: 'Given up', number: true, cell: ({ exhausted }) => count(exhausted) },
  { name: 'Waiting', number: true, cell: ({ backlog, held }) => count(backlog + held) },
  { name: 'Oldest due', cell: ({ oldestDue }) => <Time at={oldestDue} none="–" /> },
];

function Nothing({ channel }: { channel: string | null }) {
  return channel === null
    ? (
      <Empty title="No webhooks yet" icon="webhook" action={<LinkButton kind="primary" to={href('channels')}>Go to the channels</LinkButton>}>
        A channel is one website or app. Make one, then tell it where its events are to be sent.
      </Empty>
    )
    : (
      <Empty title="No webhooks yet" icon="webhook"
        action={<LinkButton kind="primary" icon="plus" to={href('c', channel, 'webhooks', 'new')}>Create a webhook</LinkButton>}>
        Events of this channel are kept, and sent nowhere so far.
      </Empty>
    );
}

function Bad({ channel, bad, seen, all }: Found & { channel: string | null }) {
  if (seen === 0) return <Nothing channel={channel} />;
  const which = all ? (seen === 1 ? 'The webhook is enabled and answers.' : `All ${count(seen)} are enabled and answer.`)
    : `The first ${count(seen)} are enabled and answer.`;
  if (bad.length === 0) return <Empty title="All is well" icon="check">{which}</Empty>;
  return (
    <>
      <Table caption="Webhooks that need a look" rows={bad.slice(0, MOST)} id={({ webhook }) => webhook} columns={columns(channel === null)} />
      {(bad.length > MOST || !all) && (
        <div class="table-foot">
          <span class="muted">
            {bad.length > MOST && `${MOST} of ${count(bad.length)} are shown. `}
            {!all && `The first ${count(seen)} webhooks were looked through.`}
          </span>
        </div>
      )}
    </>
  );
}
