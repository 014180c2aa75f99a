// The subscriptions of a channel as the registry knows them, and what one of them did.
import { Problem, api, inChannel } from '../lib/api';
import { useChannel } from '../lib/context';
import type { EventRow } from '../lib/history';
import { useLoad, usePages } from '../lib/hooks';
import { type Params, href, hrefWith, setQuery, usePlace } from '../lib/router';
import type { List } from '../lib/types';
import { Badge, Button, Id, LinkButton, Text, Time } from '../ui/basics';
import { Card, Empty, Fact, Facts, Load, Note, Page } from '../ui/page';
import { PagedTable, Table } from '../ui/table';
import { eventColumns } from './events';
import { ChosenFilter, TypedFilter } from './filters';

interface Subscription {
  _id: string;
  type?: string;
  platformName?: string;
  language?: string;
  country?: string;
  topics?: string[];
  tags?: string[];
  customAttributes?: Record<string, unknown>;
  inactive?: boolean;
  createdAt: string;
  syncedAt: string | null;
  [more: string]: unknown;
}

const FILTERS = ['inactive', 'topic', 'tag', 'platform', 'language', 'country'] as const;
const ACTIVE = [['', 'All'], ['false', 'Active'], ['true', 'Opted out']] as const;

const Active = ({ inactive }: Subscription) => (
  inactive ? <Badge tone="calm" icon="stop">Opted out</Badge> : <Badge tone="good" icon="check">Active</Badge>
);

const Chips = ({ of }: { of: string[] | undefined }) => (
  of && of.length > 0
    ? <span class="row tight chips">{of.map((each) => <Badge key={each} tone="calm"><Text>{each}</Text></Badge>)}</span>
    : <span class="muted">none</span>
);

export function Subscriptions({ params }: { params: Params }) {
  const id = params.c!;
  const { query } = usePlace();
  const channel = useChannel();
  const given = Object.fromEntries(FILTERS.map((name) => [name, query.get(name)]));
  const filtered = Object.values(given).some(Boolean);
  const pages = usePages<Subscription>(inChannel(id, 'subscriptions'), { limit: 50, ...given });
  const showAll = () => setQuery(Object.fromEntries(FILTERS.map((name) => [name, null])));
  return (
    <Page title="Subscriptions" crumbs={[{ to: href('c', id), text: channel.data?.name ?? id }]}>
      <Card flush>
        <search class="filters narrow">
          <ChosenFilter name="inactive" label="State" choices={ACTIVE} />
          <TypedFilter name="topic" label="Topic" />
          <TypedFilter name="tag" label="Tag" />
          <TypedFilter name="platform" label="Platform" placeholder="iOS" />
          <TypedFilter name="language" label="Language" placeholder="en" />
          <TypedFilter name="country" label="Country" placeholder="DE" />
          {filtered && <Button kind="quiet" icon="cross" onClick={showAll}>Show all</Button>}
        </search>
        <PagedTable caption="Subscriptions" pages={pages} id={({ _id }) => _id} empty={filtered
          ? <Empty title={pages.done ? 'No subscription matches' : 'None found so far'} icon="search" action={<Button onClick={showAll}>Show all subscriptions</Button>} />
          : (
            <Empty title="No subscriptions yet" icon="people">
              They come from the SDKs of your apps, or by <code>POST /v1/channels/{id}/subscriptions</code>.
            </Empty>
          )} columns={[
          {
            name: 'Subscription',
            main: true,
            cell: ({ _id }) => <a href={href('c', id, 'subscriptions', _id)}><Id>{_id}</Id></a>,
          },
          { name: 'State', cell: (subscription) => <Active {...subscription} /> },
          { name: 'Platform', cell: ({ platformName }) => <Text lines={1}>{platformName}</Text> },
          { name: 'Language', cell: ({ language, country }) => <Text lines={1}>{[language, country].filter(Boolean).join(' · ')}</Text> },
          { name: 'Topics', cell: ({ topics }) => <Text lines={2}>{topics?.join(', ')}</Text> },
          { name: 'Seen', cell: ({ syncedAt, createdAt }) => <Time at={syncedAt ?? createdAt} /> },
        ]} />
      </Card>
    </Page>
  );
}

// ---- one ----

export function SubscriptionPage({ params }: { params: Params }) {
  const [id, s] = [params.c!, params.s!];
  const path = inChannel(id, 'subscriptions', s);
  const channel = useChannel();
  // Events may be of one that nobody has told us of.
  const found = useLoad((signal) => api.get<Subscription>(path, undefined, signal)
    .then((subscription) => ({ subscription: subscription as Subscription | null }))
    .catch((error: unknown) => {
      if (error instanceof Problem && error.status === 404) return { subscription: null };
      throw error;
    }), [path]);
  return (
    <Page title={s} crumbs={[
      { to: href('c', id), text: channel.data?.name ?? id },
      { to: href('c', id, 'subscriptions'), text: 'Subscriptions' },
    ]}>
      <Load from={found} rows={6}>
        {({ subscription }) => (subscription
          ? <About subscription={subscription} />
          : <Note>The registry does not know this subscription: only events speak of it.</Note>)}
      </Load>
      <RecentEvents channel={id} filter={{ subscription: s }} />
    </Page>
  );
}

const SHOWN_APART = ['_id', 'topics', 'tags', 'customAttributes', 'inactive', 'createdAt', 'syncedAt', 'channel'];

function About({ subscription }: { subscription: Subscription }) {
  const { topics, tags, customAttributes = {} } = subscription;
  const rest = Object.entries(subscription).filter(([name]) => !SHOWN_APART.includes(name));
  const attributes = Object.entries(customAttributes);
  const shown = (value: unknown) => (typeof value === 'string' ? value
    : Array.isArray(value) && value.every((each) => typeof each === 'string') ? value.join(', ') : JSON.stringify(value));
  return (
    <>
      <Card>
        <Facts>
          <Fact name="State"><Active {...subscription} /></Fact>
          <Fact name="Topics"><Chips of={topics} /></Fact>
          <Fact name="Tags"><Chips of={tags} /></Fact>
          {rest.map(([name, value]) => <Fact key={name} name={name}><Text>{shown(value)}</Text></Fact>)}
          <Fact name="Made"><Time at={subscription.createdAt} /></Fact>
          <Fact name="Seen last"><Time at={subscription.syncedAt} /></Fact>
          <Fact name="Id"><Id>{subscription._id}</Id></Fact>
        </Facts>
      </Card>
      <Card title="Attributes">
        {attributes.length > 0
          ? <Facts>{attributes.map(([name, value]) => <Fact key={name} name={name}><Text>{shown(value)}</Text></Fact>)}</Facts>
          : <span class="muted">none</span>}
      </Card>
    </>
  );
}

const FEW = 10;

// The newest few of a subscription, or of a notification.
export function RecentEvents({ channel, filter }: { channel: string; filter: Record<string, string> }) {
  const path = inChannel(channel, 'events');
  const events = useLoad((signal) => api.get<List<EventRow>>(path, { ...filter, limit: FEW }, signal), [path, JSON.stringify(filter)]);
  return (
    <Card title="Its latest events" flush actions={(
      <>
        <LinkButton small to={hrefWith(['c', channel, 'events'], filter)}>All its events</LinkButton>
        <LinkButton small to={hrefWith(['c', channel, 'calls'], filter)}>All its calls</LinkButton>
      </>
    )}>
      <Load from={events} rows={3}>
        {({ data }) => (data.length > 0
          ? <Table caption="Its latest events" rows={data} id={({ _id }) => _id} columns={eventColumns(channel)} />
          : <Empty title="No events" icon="events">None of the events that are kept is about it.</Empty>)}
      </Load>
    </Card>
  );
}
