// Replays, and retries and cancellations of many: all of them, and one as it goes on.
import { inChannel } from '../lib/api';
import { useChannel, useManageReason } from '../lib/context';
import { count } from '../lib/format';
import { type Job, hasEnded } from '../lib/history';
import { usePages } from '../lib/hooks';
import { type Params, href } from '../lib/router';
import { type Webhooks, useWebhooks } from '../lib/webhooks';
import { Badge, Button, Id, LinkButton, StateBadge, Text, Time } from '../ui/basics';
import { Card, Empty, Fact, Facts, Load, Note, Page, Tile } from '../ui/page';
import { PagedTable } from '../ui/table';
import { JobButtons, NAMES, Progress, titleOf, useJob } from './job-parts';

function Start({ channel }: { channel: string }) {
  return useManageReason() === null
    ? <LinkButton kind="primary" icon="jobs" to={href('c', channel, 'replay')}>New replay</LinkButton>
    : null;
}

export function Jobs({ params }: { params: Params }) {
  const id = params.c!;
  const channel = useChannel();
  const webhooks = useWebhooks(id);
  const pages = usePages<Job>(inChannel(id, 'jobs'), { limit: 50 });
  return (
    <Page title="Jobs" crumbs={[{ to: href('c', id), text: channel.data?.name ?? id }]} actions={(
      <>
        <Button icon="retry" onClick={pages.reload}>Refresh</Button>
        <Start channel={id} />
      </>
    )}>
      <Card flush>
        <PagedTable caption="Jobs" pages={pages} id={({ _id }) => _id} empty={(
          <Empty title="No jobs yet" icon="jobs" action={<Start channel={id} />}>
            When a receiver was down, a replay sends what it missed. Retries and cancellations of many calls are here, too.
          </Empty>
        )} columns={[
          {
            name: 'Job',
            main: true,
            cell: (job) => (
              <div class="two-lines">
                <a href={href('c', id, 'jobs', job._id)}>{titleOf(job)}<span class="hidden"> {job._id}</span></a>
                <span class="muted">{job.webhook ? <Text lines={1}>{`to ${webhooks.urlOf(job.webhook)}`}</Text> : 'of several webhooks'}</span>
              </div>
            ),
          },
          { name: 'Progress', cell: (job) => <Moving channel={id} first={job} /> },
          { name: 'Matched', number: true, cell: ({ matched }) => count(matched) },
          { name: 'Begun', cell: ({ createdAt }) => <Time at={createdAt} /> },
        ]} />
      </Card>
    </Page>
  );
}

// Each looks after itself: those that have ended ask for nothing.
function Moving({ channel, first }: { channel: string; first: Job }) {
  const job = useJob(channel, first._id, first).data!;
  return (
    <div class="two-lines">
      <span><StateBadge state={job.state} /></span>
      {hasEnded(job)
        ? <span class="muted">{job.dryRun ? 'only counted' : `${count(job.done)} ${NAMES[job.kind][1]}`}</span>
        : <Progress job={job} brief />}
    </div>
  );
}

// ---- one ----

export function JobPage({ params }: { params: Params }) {
  const [id, j] = [params.c!, params.j!];
  const channel = useChannel();
  const webhooks = useWebhooks(id);
  const mayManage = useManageReason() === null;
  const job = useJob(id, j);
  return (
    <Page title={job.data ? titleOf(job.data) : 'Job'} crumbs={[
      { to: href('c', id), text: channel.data?.name ?? id },
      { to: href('c', id, 'jobs'), text: 'Jobs' },
    ]}>
      <Load from={job} rows={6}>
        {(data) => (
          <>
            <Card>
              <div class="stack">
                <div class="row spread"><StateBadge state={data.state} />{data.dryRun && <Badge tone="calm">only counts</Badge>}</div>
                <Progress job={data} />
                {data.reason && <Note tone="warn"><Text>{data.reason}</Text></Note>}
                {mayManage && <JobButtons channel={id} job={data} onChange={job.set} />}
              </div>
            </Card>
            <div class="tiles">
              <Tile name="Matched" value={count(data.matched)} note={hasEnded(data) ? 'in all' : 'so far'} />
              <Tile name={data.kind === 'cancel' ? 'Cancelled' : 'Put in order'} value={count(data.done)}
                note={data.kind === 'cancel' ? 'not sent any more' : 'sent as their turn comes'} />
              <Tile name="Skipped" value={count(data.skipped)} note="changed in the meantime" />
              <Tile name="Pace" value={count(data.pace)} note="calls a second at most" />
            </div>
            <About channel={id} job={data} webhooks={webhooks} />
          </>
        )}
      </Load>
    </Page>
  );
}

function About({ channel, job, webhooks }: { channel: string; job: Job; webhooks: Webhooks }) {
  return (
    <Card title="What it looks for">
      <Facts>
        {job.webhook && (
          <Fact name="Webhook">
            <a href={href('c', channel, 'webhooks', job.webhook)}><Text mono>{webhooks.urlOf(job.webhook)}</Text></a>
          </Fact>
        )}
        <Fact name="From"><Time at={job.since} none="the beginning" /></Fact>
        <Fact name="To"><Time at={job.until} none="the job's start" /></Fact>
        {job.states.length > 0 && <Fact name="States">{job.states.join(', ')}</Fact>}
        {job.types.length > 0 && <Fact name="Types">{job.types.join(', ')}</Fact>}
        {job.subscription && <Fact name="Subscription"><Id>{job.subscription}</Id></Fact>}
        {job.notification && <Fact name="Notification"><Id>{job.notification}</Id></Fact>}
        {job.error && <Fact name="Last error contains"><Text>{job.error}</Text></Fact>}
        {!hasEnded(job) && job.position && <Fact name="It is at"><Time at={job.position} /></Fact>}
        <Fact name="Begun"><Time at={job.createdAt} /></Fact>
        {job.finishedAt && <Fact name="Ended"><Time at={job.finishedAt} /></Fact>}
        <Fact name="Id"><Id>{job._id}</Id></Fact>
      </Facts>
    </Card>
  );
}
