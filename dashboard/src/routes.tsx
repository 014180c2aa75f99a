// The pages, by address. A new one is a row here and a file in pages/.
import type { ComponentType } from 'preact';
import type { Params } from './lib/router';
import { CallPage } from './pages/call';
import { Calls } from './pages/calls';
import { ChannelPage } from './pages/channel';
import { ChannelSettings } from './pages/channel-settings';
import { Channels } from './pages/channels';
import { EventPage, Events } from './pages/events';
import { JobPage, Jobs } from './pages/jobs';
import { Keys } from './pages/keys';
import { Live } from './pages/live';
import { Notices } from './pages/notices';
import { NotificationPage, Notifications } from './pages/notifications';
import { Overview } from './pages/overview';
import { Replay } from './pages/replay';
import { SubscriptionPage, Subscriptions } from './pages/subscriptions';
import { WebhookPage } from './pages/webhook';
import { EditWebhook, NewWebhook } from './pages/webhook-form';
import { Webhooks } from './pages/webhooks';
import type { IconName } from './ui/icons';

export interface Route {
  path: string; // ":c" is a channel's id
  page: ComponentType<{ params: Params }>;
  who?: 'server' | 'admin'; // keys for all channels; admin keys. Else: any that may see the channel
  nav?: { text: string; icon: IconName }; // an entry in the menu, in this order
  under?: string; // the path whose entry is marked while this page is open
}

export const routes: Route[] = [
  { path: '/', page: Overview, who: 'server', nav: { text: 'Overview', icon: 'home' } },
  { path: '/channels', page: Channels, who: 'server', nav: { text: 'Channels', icon: 'channels' } },
  { path: '/keys', page: Keys, who: 'admin', nav: { text: 'Keys', icon: 'key' } },
  { path: '/notices', page: Notices, who: 'admin', nav: { text: 'Notices', icon: 'bell' } },

  { path: '/c/:c', page: ChannelPage, nav: { text: 'Overview', icon: 'home' } },
  { path: '/c/:c/webhooks', page: Webhooks, nav: { text: 'Webhooks', icon: 'webhook' } },
  { path: '/c/:c/webhooks/new', page: NewWebhook, under: '/c/:c/webhooks' },
  { path: '/c/:c/webhooks/:w', page: WebhookPage, under: '/c/:c/webhooks' },
  { path: '/c/:c/webhooks/:w/edit', page: EditWebhook, under: '/c/:c/webhooks' },
  { path: '/c/:c/events', page: Events, nav: { text: 'Events', icon: 'events' } },
  { path: '/c/:c/events/:e', page: EventPage, under: '/c/:c/events' },
  { path: '/c/:c/calls', page: Calls, nav: { text: 'Calls', icon: 'calls' } },
  { path: '/c/:c/calls/:id', page: CallPage, under: '/c/:c/calls' },
  { path: '/c/:c/live', page: Live, nav: { text: 'Live', icon: 'live' } },
  { path: '/c/:c/jobs', page: Jobs, nav: { text: 'Jobs', icon: 'jobs' } },
  { path: '/c/:c/jobs/:j', page: JobPage, under: '/c/:c/jobs' },
  { path: '/c/:c/replay', page: Replay, under: '/c/:c/jobs' },
  { path: '/c/:c/subscriptions', page: Subscriptions, nav: { text: 'Subscriptions', icon: 'people' } },
  { path: '/c/:c/subscriptions/:s', page: SubscriptionPage, under: '/c/:c/subscriptions' },
  { path: '/c/:c/notifications', page: Notifications, nav: { text: 'Notifications', icon: 'send' } },
  { path: '/c/:c/notifications/:n', page: NotificationPage, under: '/c/:c/notifications' },
  { path: '/c/:c/notices', page: Notices, nav: { text: 'Notices', icon: 'bell' } },
  { path: '/c/:c/settings', page: ChannelSettings, nav: { text: 'Settings', icon: 'settings' } },
];
