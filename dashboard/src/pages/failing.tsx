// The webhooks of a channel that somebody should look at.
import { api, inChannel } from '../lib/api';
import { count, duration, percent } from '../lib/format';
import { useLoad } from '../lib/hooks';
import { href } from '../lib/router';
import type { List, Range, WebhookStats } from '../lib/types';
import { LinkButton, StateBadge, Text, Time } from '../ui/basics';
import { Card, Empty, Load } from '../ui/page';
import { Table } from '../ui/table';

const LOOKED_THROUGH = 1000;
const PAGE = 200;
const MOST = 10;
const GOOD_RATE = 0.95;

const isBad = ({ enabled, successRate, exhausted }: WebhookStats) =>
  !enabled || exhausted > 0 || (successRate !== null && successRate < GOOD_RATE);

const rank = ({ enabled, successRate }: WebhookStats) => (enabled ? successRate ?? 1 : 2);

interface Found {
  bad: WebhookStats[];
  seen: number;
  all: boolean;
}

async function look(channel: string, range: Range, signal: AbortSignal): Promise<Found> {
  const found: Found = { bad: [], seen: 0, all: false };
  let cursor: string | null = null;
  do {
    const page: List<WebhookStats> = await api.page(inChannel(channel, 'webhooks', 'stats'), { range, limit: PAGE }, cursor, signal);
    found.bad.push(...page.data.filter(isBad));
    found.seen += page.data.length;
    cursor = page.nextCursor;
  } while (cursor !== null && found.seen < LOOKED_THROUGH);
  found.all = cursor === null;
  found.bad.sort((a, b) => rank(a) - rank(b));
  return found;
}

export function FailingWebhooks({ channel, range }: { channel: string; range: Range }) {
  const found = useLoad((signal) => look(channel, range, signal), [channel, range], 60_000);
  return (
    <Card title="Webhooks that need a look" flush
      actions={<LinkButton small to={href('c', channel, 'webhooks')}>All webhooks</LinkButton>}>
      <Load from={found} rows={3}>{(data) => <Bad channel={channel} {...data} />}</Load>
    </Card>
  );
}

function Bad({ channel, bad, seen, all }: Found & { channel: string }) {
  if (seen === 0) {
    return (
      <Empty title="No webhooks yet" icon="webhook"
        action={<LinkButton kind="primary" icon="plus" to={href('c', channel, 'webhooks', 'new')}>Create a webhook</LinkButton>}>
        Events of this channel are kept, and sent nowhere so far.
      </Empty>
    );
  }
  if (bad.length === 0) {
    return <Empty title="All is well" icon="check">None of {all ? 'the' : 'the first'} {count(seen)} webhooks is disabled or fails.</Empty>;
  }
  return (
    <>
      <Table caption="Webhooks that need a look" rows={bad.slice(0, MOST)} id={({ webhook }) => webhook} columns={[
        {
          name: 'Webhook',
          main: true,
          cell: ({ webhook, url }) => <a href={href('c', channel, 'webhooks', webhook)}><Text lines={2}>{url}</Text></a>,
        },
        { name: 'State', cell: ({ enabled }) => <StateBadge state={enabled ? 'failing' : 'disabled'} /> },
        { name: 'Success rate', number: true, cell: ({ successRate }) => percent(successRate) },
        { name: 'Latency p95', number: true, cell: ({ p95 }) => duration(p95) },
        { name: 'Given up', number: true, cell: ({ exhausted }) => count(exhausted) },
        { name: 'Waiting', number: true, cell: ({ backlog, held }) => count(backlog + held) },
        { name: 'Oldest due', cell: ({ oldestDue }) => <Time at={oldestDue} none="–" /> },
      ]} />
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
