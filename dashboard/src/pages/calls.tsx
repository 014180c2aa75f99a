// The calls of a channel: found, selected, tried again.
import { useState } from 'preact/hooks';
import { type Query, inChannel } from '../lib/api';
import { useChannel, useManageReason } from '../lib/context';
import { type Call, FILTERS, filtersOf } from '../lib/history';
import { type Params, href, hrefWith, usePlace } from '../lib/router';
import { type Search, useSearch } from '../lib/search';
import { type Webhooks, useWebhooks } from '../lib/webhooks';
import { Button, LinkButton, StateBadge, Text, Time } from '../ui/basics';
import { Card, Empty, Page } from '../ui/page';
import { SearchTable } from '../ui/search-table';
import type { Column } from '../ui/table';
import { BulkDialog, type BulkKind, SelectionBar } from './bulk';
import { Filters, showAll } from './filters';
import { Finder } from './finder';

const NAMED = [...FILTERS, 'range', 'since', 'until'];

export function lastError({ state, lastAttempt, heldReason }: Call): string | null {
  if (state === 'held') return heldReason ?? null;
  if (!lastAttempt || lastAttempt.verdict === 'ok') return null;
  return lastAttempt.reason ?? `status ${lastAttempt.status}`;
}

export function callColumns(channel: string, webhooks: Webhooks): Column<Call>[] {
  return [
    {
      name: 'Call',
      main: true,
      cell: ({ _id, type, webhook }) => (
        <div class="two-lines">
          <a href={href('c', channel, 'calls', _id)}>{type}<span class="hidden"> call {_id}</span></a>
          <span class="muted"><Text lines={1}>{`to ${webhooks.urlOf(webhook)}`}</Text></span>
        </div>
      ),
    },
    {
      name: 'State',
      cell: ({ state, nextAttemptAt }) => (
        <div class="two-lines">
          <span><StateBadge state={state} /></span>
          {nextAttemptAt && <span class="muted">next <Time at={nextAttemptAt} /></span>}
        </div>
      ),
    },
    { name: 'Made', cell: ({ createdAt }) => <Time at={createdAt} /> },
    {
      name: 'Subscription',
      cell: ({ subscription }) => (
        <a class="quiet" href={href('c', channel, 'subscriptions', subscription)}><Text mono lines={1}>{subscription}</Text></a>
      ),
    },
    { name: 'Attempts', number: true, cell: ({ attempts }) => attempts },
    { name: 'Last error', cell: (call) => <Text lines={2}>{lastError(call)}</Text> },
  ];
}

export function Calls({ params }: { params: Params }) {
  const id = params.c!;
  const { query } = usePlace();
  const channel = useChannel();
  const webhooks = useWebhooks(id);
  const name = JSON.stringify(NAMED.map((each) => query.get(each)));
  const asked = () => filtersOf(query, FILTERS, Date.now());
  const search = useSearch<Call>(inChannel(id, 'calls'), name, asked);
  return (
    <Page title="Calls" crumbs={[{ to: href('c', id), text: channel.data?.name ?? id }]}
      actions={<Button icon="retry" onClick={search.reload}>Refresh</Button>}>
      <Finder channel={id} />
      <Card flush>
        <Filters names={FILTERS} webhooks={webhooks} />
        <Found key={name} channel={id} search={search} webhooks={webhooks} asked={asked} />
      </Card>
    </Page>
  );
}

function Found({ channel, search, webhooks, asked }: {
  channel: string; search: Search<Call>; webhooks: Webhooks; asked: () => Query;
}) {
  const [selected, setSelected] = useState(new Set<string>());
  const [bulk, setBulk] = useState<{ kind: BulkKind; query: Query } | null>(null);
  const mayManage = useManageReason() === null;
  const toggle = (id: string) => {
    const next = new Set(selected);
    if (!next.delete(id)) next.add(id);
    setSelected(next);
  };
  const box: Column<Call> = {
    name: 'Selected',
    hideName: true,
    cell: ({ _id, type, subscription }) => (
      <input type="checkbox" aria-label={`Select ${type} of ${subscription}`} checked={selected.has(_id)} onChange={() => toggle(_id)} />
    ),
  };
  const columns = callColumns(channel, webhooks);
  return (
    <>
      {mayManage && search.rows.length > 0 && (
        <SelectionBar channel={channel} shown={search.rows.map(({ _id }) => _id)} selected={selected}
          onSelect={(ids) => setSelected(new Set(ids))} onDone={search.reload}>
          <AllThatMatch query={asked()} onOpen={(kind) => setBulk({ kind, query: asked() })} />
        </SelectionBar>
      )}
      <SearchTable caption="Calls" search={search} id={({ _id }) => _id} columns={mayManage ? [box, ...columns] : columns}
        empty={<NoCalls channel={channel} filtered={Object.values(asked()).some(Boolean)} />} />
      {bulk && <BulkDialog channel={channel} {...bulk} onClose={() => setBulk(null)} />}
    </>
  );
}

const mayCancel = (state: string) => state === 'waiting' || state === 'held';

function AllThatMatch({ query, onOpen }: { query: Query; onOpen: (kind: BulkKind) => void }) {
  const reason = query.webhook || query.since ? null : 'choose a webhook or a time first';
  const states = query.state ? String(query.state).split(',') : [];
  return (
    <>
      <Button small icon="retry" reason={reason} onClick={() => onOpen('retry')}>
        {states.length === 0 ? 'Retry all that failed or wait' : 'Retry all that match'}
      </Button>
      {states.every(mayCancel) && (
        <Button small icon="stop" reason={reason} onClick={() => onOpen('cancel')}>
          {states.length === 0 ? 'Cancel all that wait' : 'Cancel all that match'}
        </Button>
      )}
    </>
  );
}

function NoCalls({ channel, filtered }: { channel: string; filtered: boolean }) {
  if (filtered) {
    return (
      <Empty title="No call matches" icon="search" action={<Button onClick={showAll}>Show all calls</Button>}>
        Perhaps the event came to no webhook: <a href={hrefWith(['c', channel, 'events'], {})}>its page says why</a>.
      </Empty>
    );
  }
  return (
    <Empty title="No calls yet" icon="calls" action={<LinkButton to={href('c', channel, 'webhooks')}>Webhooks</LinkButton>}>
      Each event makes one call for every webhook that wants it. Send a test event from a webhook's page to see one.
    </Empty>
  );
}
