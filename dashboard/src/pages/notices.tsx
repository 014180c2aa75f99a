// What operators are told: of the server, or of one channel.
import { api, inChannel } from '../lib/api';
import { useLoad, usePages } from '../lib/hooks';
import { type Params, href } from '../lib/router';
import type { List, Notice } from '../lib/types';
import { Badge, Button, LinkButton, Text, Time, type Tone } from '../ui/basics';
import type { IconName } from '../ui/icons';
import { Card, Empty, Load, Page } from '../ui/page';
import { type Column, PagedTable, Table } from '../ui/table';

const KINDS: Record<string, [Tone, IconName, string]> = {
  webhookDisabled: ['bad', 'pause', 'Webhook disabled'],
  callExhausted: ['bad', 'cross', 'Call given up'],
  backlogHigh: ['warn', 'warning', 'Backlog high'],
  backlogCleared: ['good', 'check', 'Backlog cleared'],
  oldestDueHigh: ['warn', 'clock', 'Calls late'],
  oldestDueCleared: ['good', 'check', 'Calls in time'],
  diskLow: ['bad', 'warning', 'Disk low'],
  diskCleared: ['good', 'check', 'Disk has room'],
  trialEnded: ['warn', 'clock', 'Trial ended'],
};

export function NoticeBadge({ kind }: { kind: string }) {
  const [tone, icon, text] = KINDS[kind] ?? ['info', 'info', kind];
  return <Badge tone={tone} icon={icon}>{text}</Badge>;
}

export function noticeColumns(withChannel: boolean): Column<Notice>[] {
  return [
    { name: 'What', cell: ({ kind }) => <NoticeBadge kind={kind} /> },
    {
      name: 'Text',
      main: true,
      cell: ({ text, channel, data }) => (
        <div class="two-lines">
          <Text lines={3}>{text}</Text>
          {channel && typeof data.call === 'string' && <a href={href('c', channel, 'calls', data.call)}>Open the call</a>}
        </div>
      ),
    },
    ...(withChannel ? [{
      name: 'Channel',
      cell: ({ channel }: Notice) => (channel ? <a href={href('c', channel)}><Text>{channel}</Text></a> : <span class="muted">the server</span>),
    }] : []),
    {
      name: 'Webhook',
      cell: ({ channel, webhook }) =>
        (webhook && channel ? <a href={href('c', channel, 'webhooks', webhook)}><Text mono>{webhook}</Text></a> : <span class="muted">–</span>),
    },
    { name: 'When', cell: ({ at }) => <Time at={at} /> },
  ];
}

const NoNotices = () => (
  <Empty title="Nothing to report" icon="check">
    Webhooks that were disabled, calls that were given up and a backlog that grows are told of here.
  </Empty>
);

const FEW = 5;

// The newest few, on overviews.
export function LatestNotices({ path, all, withChannel }: { path: string; all: string; withChannel: boolean }) {
  const list = useLoad((signal) => api.get<List<Notice>>(path, { limit: FEW }, signal), [path], 30_000);
  return (
    <Card title="Notices" flush actions={<LinkButton small to={all}>All notices</LinkButton>}>
      <Load from={list} rows={3}>
        {({ data }) => (data.length > 0
          ? <Table caption="The newest notices" columns={noticeColumns(withChannel)} rows={data} id={({ _id }) => _id} />
          : <NoNotices />)}
      </Load>
    </Card>
  );
}

// All of them: of one channel, or of the server.
export function Notices({ params }: { params: Params }) {
  const path = params.c === undefined ? '/v1/notices' : inChannel(params.c, 'notices');
  const pages = usePages<Notice>(path, { limit: 50 });
  return (
    <Page title="Notices" actions={<Button icon="retry" onClick={pages.reload}>Refresh</Button>}>
      <Card flush>
        <PagedTable caption="Notices" pages={pages} id={({ _id }) => _id} columns={noticeColumns(params.c === undefined)}
          empty={<NoNotices />} />
      </Card>
    </Page>
  );
}
