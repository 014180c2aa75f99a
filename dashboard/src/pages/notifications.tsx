// The pushes that a channel was told of, and what came back of them.
import { Problem, api, inChannel } from '../lib/api';
import { useChannel } from '../lib/context';
import { count } from '../lib/format';
import { useLoad, usePages } from '../lib/hooks';
import { type Params, href } from '../lib/router';
import { Id, Text, Time } from '../ui/basics';
import { Card, Empty, Fact, Facts, Load, Note, Page } from '../ui/page';
import { PagedTable } from '../ui/table';
import { RecentEvents } from './subscriptions';

interface Notification {
  _id: string;
  title?: string;
  text?: string;
  url?: string;
  iconUrl?: string;
  mediaUrl?: string;
  feedGuid?: string[];
  createdAt: string;
  delivered: number;
  clicked: number;
}

export function Notifications({ params }: { params: Params }) {
  const id = params.c!;
  const channel = useChannel();
  const pages = usePages<Notification>(inChannel(id, 'notifications'), { limit: 50 });
  return (
    <Page title="Notifications" crumbs={[{ to: href('c', id), text: channel.data?.name ?? id }]}>
      <Card flush>
        <PagedTable caption="Notifications" pages={pages} id={({ _id }) => _id} empty={(
          <Empty title="No notifications yet" icon="send">
            Pushes that this channel is told of, by <code>POST /v1/channels/{id}/notifications</code>, with what was delivered and clicked.
          </Empty>
        )} columns={[
          {
            name: 'Notification',
            main: true,
            cell: ({ _id, title, text }) => (
              <div class="two-lines">
                <a href={href('c', id, 'notifications', _id)}><Text lines={2}>{title || _id}</Text></a>
                <span class="muted"><Text lines={1}>{text}</Text></span>
              </div>
            ),
          },
          { name: 'Delivered', number: true, cell: ({ delivered }) => count(delivered) },
          { name: 'Clicked', number: true, cell: ({ clicked }) => count(clicked) },
          { name: 'Made', cell: ({ createdAt }) => <Time at={createdAt} /> },
        ]} />
      </Card>
    </Page>
  );
}

export function NotificationPage({ params }: { params: Params }) {
  const [id, n] = [params.c!, params.n!];
  const path = inChannel(id, 'notifications', n);
  const channel = useChannel();
  const found = useLoad((signal) => api.get<Notification>(path, undefined, signal)
    .then((notification) => ({ notification: notification as Notification | null }))
    .catch((error: unknown) => {
      if (error instanceof Problem && error.status === 404) return { notification: null };
      throw error;
    }), [path]);
  return (
    <Page title={found.data?.notification?.title || n} crumbs={[
      { to: href('c', id), text: channel.data?.name ?? id },
      { to: href('c', id, 'notifications'), text: 'Notifications' },
    ]}>
      <Load from={found} rows={6}>
        {({ notification }) => (notification
          ? <AboutNotification notification={notification} />
          : <Note>The registry does not know this notification: only events speak of it.</Note>)}
      </Load>
      <RecentEvents channel={id} filter={{ notification: n }} />
    </Page>
  );
}

function AboutNotification({ notification }: { notification: Notification }) {
  const { title, text, url, iconUrl, mediaUrl, feedGuid, delivered, clicked, createdAt, _id } = notification;
  const links = [['Link', url], ['Icon', iconUrl], ['Media', mediaUrl]] as const;
  return (
    <Card>
      <Facts>
        {title && <Fact name="Title"><Text>{title}</Text></Fact>}
        {text && <Fact name="Text"><Text>{text}</Text></Fact>}
        {links.map(([name, value]) => value && <Fact key={name} name={name}><Text mono>{value}</Text></Fact>)}
        {feedGuid && feedGuid.length > 0 && <Fact name="Feed">{feedGuid.map((each) => <div key={each}><Text mono>{each}</Text></div>)}</Fact>}
        <Fact name="Delivered">{count(delivered)}</Fact>
        <Fact name="Clicked">{count(clicked)}</Fact>
        <Fact name="Made"><Time at={createdAt} /></Fact>
        <Fact name="Id"><Id>{_id}</Id></Fact>
      </Facts>
    </Card>
  );
}
