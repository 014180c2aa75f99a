// The events of a channel, and what became of one.
import { useState } from 'preact/hooks';
import { api, inChannel } from '../lib/api';
import { useChannel, useManageReason } from '../lib/context';
import { withTimes } from '../lib/format';
import { type Call, type EventDetail, type EventRow, type Filter, filtersOf } from '../lib/history';
import { useLoad } from '../lib/hooks';
import { rawMember } from '../lib/json';
import { type Params, href, hrefWith, usePlace } from '../lib/router';
import { useSearch } from '../lib/search';
import { useWebhooks } from '../lib/webhooks';
import { Badge, Button, Id, LinkButton, StateBadge, Text, Time } from '../ui/basics';
import { JsonView } from '../ui/code';
import { Card, Empty, Fact, Facts, Load, Page } from '../ui/page';
import { SearchTable } from '../ui/search-table';
import { type Column, Table } from '../ui/table';
import { Filters, showAll } from './filters';
import { Finder } from './finder';

const NAMES: readonly Filter[] = ['type', 'subscription', 'notification'];

export function eventColumns(channel: string): Column<EventRow>[] {
  return [
    {
      name: 'Event',
      main: true,
      cell: ({ _id }) => <a href={href('c', channel, 'events', _id)}><Id>{_id}</Id></a>,
    },
    { name: 'Type', cell: ({ type }) => type },
    { name: 'Came', cell: ({ createdAt }) => <Time at={createdAt} /> },
    {
      name: 'Subscription',
      cell: ({ subscription }) => (
        <a class="quiet" href={href('c', channel, 'subscriptions', subscription)}><Text mono lines={1}>{subscription}</Text></a>
      ),
    },
  ];
}

export function Events({ params }: { params: Params }) {
  const id = params.c!;
  const { query } = usePlace();
  const channel = useChannel();
  const name = JSON.stringify([...NAMES, 'range', 'since', 'until'].map((each) => query.get(each)));
  const asked = () => filtersOf(query, NAMES, Date.now());
  const search = useSearch<EventRow>(inChannel(id, 'events'), name, asked);
  const filtered = Object.values(asked()).some(Boolean);
  return (
    <Page title="Events" crumbs={[{ to: href('c', id), text: channel.data?.name ?? id }]}
      actions={<Button icon="retry" onClick={search.reload}>Refresh</Button>}>
      <Finder channel={id} />
      <Card flush>
        <Filters names={NAMES} />
        <SearchTable caption="Events" search={search} id={({ _id }) => _id} columns={eventColumns(id)} empty={filtered
          ? <Empty title="No event matches" icon="search" action={<Button onClick={showAll}>Show all events</Button>} />
          : (
            <Empty title="No events yet" icon="events">
              They come in by <code>POST /v1/channels/{id}/events</code>, or from the SDKs of your apps.
            </Empty>
          )} />
      </Card>
    </Page>
  );
}

// ---- one ----

interface Shown {
  event: EventDetail;
  body: string; // to the byte
}

const LOOK_MS = 3000;

export function EventPage({ params }: { params: Params }) {
  const [id, e] = [params.c!, params.e!];
  const path = inChannel(id, 'events', e);
  const channel = useChannel();
  const [every, setEvery] = useState(LOOK_MS);
  const shown = useLoad<Shown>(async (signal) => {
    const text = await api.text(path, signal);
    const event = JSON.parse(text) as EventDetail;
    // What waits goes on; what has ended is not asked about any more.
    setEvery(event.calls.some(({ state }) => state === 'waiting' || state === 'held') ? LOOK_MS : 0);
    return { event, body: rawMember(text, 'payload') ?? '' };
  }, [path], every);
  return (
    <Page title={shown.data ? `Event: ${shown.data.event.type}` : 'Event'} crumbs={[
      { to: href('c', id), text: channel.data?.name ?? id },
      { to: href('c', id, 'events'), text: 'Events' },
    ]}>
      <Load from={shown} rows={8}>
        {({ event, body }) => (
          <>
            <About channel={id} event={event} />
            <Card title="Calls" flush><ItsCalls channel={id} event={event} /></Card>
            {event.webhooks && event.webhooks.length > 0 && (
              <Card title="Webhooks that did not get it" flush><Without channel={id} event={event} /></Card>
            )}
            <Card title="Body"><JsonView text={body} what="the event's body" /></Card>
          </>
        )}
      </Load>
    </Page>
  );
}

function About({ channel, event }: { channel: string; event: EventDetail }) {
  return (
    <Card>
      <Facts>
        <Fact name="Type">{event.type}</Fact>
        <Fact name="Subscription"><a href={href('c', channel, 'subscriptions', event.subscription)}><Id>{event.subscription}</Id></a></Fact>
        <Fact name="Came"><Time at={event.createdAt} /></Fact>
        <Fact name="Id"><Id>{event._id}</Id></Fact>
      </Facts>
    </Card>
  );
}

function ItsCalls({ channel, event }: { channel: string; event: EventDetail }) {
  const webhooks = useWebhooks(channel);
  if (event.calls.length === 0) {
    return (
      <Empty title="No webhook got it" icon="webhook" action={<LinkButton to={href('c', channel, 'webhooks')}>Webhooks</LinkButton>}>
        A webhook that is made now can still get it: by a replay, from its page.
      </Empty>
    );
  }
  return (
    <Table<Call> caption="Calls of this event" rows={event.calls} id={({ _id }) => _id} columns={[
      {
        name: 'Webhook',
        main: true,
        cell: ({ _id, webhook, explain }) => (
          <div class="two-lines">
            <a href={href('c', channel, 'calls', _id)}><Text lines={2}>{webhooks.urlOf(webhook)}</Text></a>
            <span class="muted"><Text>{withTimes(explain?.text)}</Text></span>
          </div>
        ),
      },
      { name: 'State', cell: ({ state }) => <StateBadge state={state} /> },
      { name: 'Attempts', number: true, cell: ({ attempts }) => attempts },
      { name: 'Next attempt', cell: ({ nextAttemptAt }) => <Time at={nextAttemptAt} none="–" /> },
    ]} />
  );
}

const CODES: Record<string, string> = {
  filteredOut: 'Type not wanted', webhookNewer: 'Webhook is newer', testOnly: 'Test event', none: 'No call',
};

function Without({ channel, event }: { channel: string; event: EventDetail }) {
  const mayManage = useManageReason() === null;
  const from = new Date(Date.parse(event.createdAt));
  const span = { range: 'custom', since: from.toISOString(), until: new Date(from.getTime() + 1).toISOString(), types: event.type };
  return (
    <Table caption="Webhooks without a call" rows={event.webhooks!} id={({ _id }) => _id} columns={[
      {
        name: 'Webhook',
        main: true,
        cell: ({ _id, url, text }) => (
          <div class="two-lines">
            <a href={href('c', channel, 'webhooks', _id)}><Text lines={2}>{url}</Text></a>
            <span class="muted"><Text>{withTimes(text)}</Text></span>
          </div>
        ),
      },
      { name: 'Why', cell: ({ code }) => <Badge tone="calm" icon="info">{CODES[code] ?? code}</Badge> },
      ...(mayManage ? [{
        name: 'Send it there',
        hideName: true,
        cell: ({ _id }: { _id: string }) => (
          <LinkButton small icon="jobs" to={hrefWith(['c', channel, 'replay'], { webhook: _id, ...span })}>Send it there</LinkButton>
        ),
      }] : []),
    ]} />
  );
}
