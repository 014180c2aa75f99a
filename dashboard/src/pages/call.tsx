// One call: why it is where it is, all of its attempts, and what can be done.
import { useEffect, useState } from 'preact/hooks';
import { api, inChannel } from '../lib/api';
import { useChannel, useManageReason } from '../lib/context';
import type { CallDetail } from '../lib/history';
import { type Loaded, useAction, useLoad } from '../lib/hooks';
import { rawMember } from '../lib/json';
import { withTimes } from '../lib/format';
import { type Params, href, hrefWith } from '../lib/router';
import { useWebhooks } from '../lib/webhooks';
import { Button, Id, LinkButton, StateBadge, Text, Time } from '../ui/basics';
import { JsonView } from '../ui/code';
import { Confirm } from '../ui/dialog';
import { Card, Empty, ErrorBox, Fact, Facts, Load, Note, Page } from '../ui/page';
import { toast } from '../ui/toast';
import { Attempts } from './attempts';

const SOON_MS = 1500;
const LATER_MS = 10_000;

// How often a page looks again at a call: what ends soon is watched, what has ended is not.
function everyMs(call: CallDetail | null): number {
  if (!call) return 0;
  if (call.state === 'held') return LATER_MS;
  if (call.state !== 'waiting') return 0;
  const next = call.explain?.code === 'retryScheduled' && call.nextAttemptAt ? Date.parse(call.nextAttemptAt) - Date.now() : 0;
  return next > 2 * LATER_MS ? LATER_MS : SOON_MS;
}

export function CallPage({ params }: { params: Params }) {
  const [id, c] = [params.c!, params.id!];
  const path = inChannel(id, 'calls', c);
  const [every, setEvery] = useState(SOON_MS);
  const call = useLoad((signal) => api.get<CallDetail>(path, undefined, signal), [path], every);
  useEffect(() => setEvery(everyMs(call.data)), [call.data]);
  const channel = useChannel();
  return (
    <Page title={call.data ? `Call: ${call.data.type}` : 'Call'} crumbs={[
      { to: href('c', id), text: channel.data?.name ?? id },
      { to: href('c', id, 'calls'), text: 'Calls' },
    ]}>
      <Load from={call} rows={8}>{(data) => <Shown channel={id} call={data} from={call} />}</Load>
    </Page>
  );
}

function Shown({ channel, call, from }: { channel: string; call: CallDetail; from: Loaded<CallDetail> }) {
  const { attemptLog } = call;
  return (
    <>
      <div role="status">
        <Why call={call} />
      </div>
      <Actions channel={channel} call={call} onChange={from.reload} />
      <Card title="Attempts" flush>
        {attemptLog.length > 0
          ? <Attempts log={attemptLog} />
          : <Empty title="No attempt yet" icon="clock">This page shows the first one as soon as it is over.</Empty>}
        {call.attemptLogTruncated && <div class="table-foot muted">There were more: the first ones are shown.</div>}
      </Card>
      <About channel={channel} call={call} />
      <EventBody channel={channel} event={call.event} />
    </>
  );
}

// ---- why ----

const TONES: Partial<Record<string, 'good' | 'bad' | 'warn'>> = {
  succeeded: 'good', failed: 'bad', webhookDisabled: 'warn', trialEnded: 'warn', receiverFailing: 'warn', diskFull: 'warn', retryScheduled: 'warn',
};

function Why({ call }: { call: CallDetail }) {
  const { explain, state } = call;
  return (
    <Note tone={TONES[explain?.code ?? state] ?? 'info'} icon={state === 'waiting' ? 'clock' : state === 'held' ? 'pause' : undefined}
      action={<StateBadge state={explain?.code === 'inFlight' ? 'inFlight' : state} />}>
      <Text>{withTimes(explain?.text)}</Text>
      {explain?.at && <> That is <Time at={explain.at} />.</>}
    </Note>
  );
}

// ---- what can be done ----

function Actions({ channel, call, onChange }: { channel: string; call: CallDetail; onChange: () => void }) {
  const [asking, setAsking] = useState(false);
  const path = inChannel(channel, 'calls', call._id);
  const retry = useAction(async () => {
    await api.post(`${path}/retry`);
    toast.ok('The call is tried again now.');
    onChange();
  });
  if (useManageReason()) return null;
  const open = call.state === 'waiting' || call.state === 'held';
  return (
    <>
      <div class="row">
        <Button kind="primary" icon="retry" busy={retry.busy} onClick={() => void retry.run()}>
          {call.state === 'succeeded' ? 'Send again' : 'Retry now'}
        </Button>
        {open && <Button icon="stop" onClick={() => setAsking(true)}>Cancel the call</Button>}
        <LinkButton icon="edit" to={href('c', channel, 'webhooks', call.webhook, 'edit')}>Edit the webhook</LinkButton>
        <LinkButton icon="jobs" to={hrefWith(['c', channel, 'calls'], { webhook: call.webhook, state: 'failed,waiting,held' })}>
          What this webhook did not get
        </LinkButton>
      </div>
      <ErrorBox error={retry.error} />
      {asking && (
        <Confirm title="Cancel the call?" action="Cancel the call" danger onClose={() => setAsking(false)} onConfirm={async () => {
          await api.post(`${path}/cancel`);
          toast.ok('The call is cancelled.');
          onChange();
        }}>
          <p>It is not sent any more, unless somebody retries it later.</p>
        </Confirm>
      )}
    </>
  );
}

// ---- what it is ----

function About({ channel, call }: { channel: string; call: CallDetail }) {
  const webhooks = useWebhooks(channel);
  const inHere = (...rest: string[]) => href('c', channel, ...rest);
  return (
    <Card title="About">
      <Facts>
        <Fact name="Webhook"><a href={inHere('webhooks', call.webhook)}><Text mono>{webhooks.urlOf(call.webhook)}</Text></a></Fact>
        <Fact name="Event"><a href={inHere('events', call.event)}><Id>{call.event}</Id></a></Fact>
        <Fact name="Type">{call.type}</Fact>
        <Fact name="Subscription">
          <a href={inHere('subscriptions', call.subscription)}><Id>{call.subscription}</Id></a>
        </Fact>
        {call.notification && (
          <Fact name="Notification"><a href={inHere('notifications', call.notification)}><Id>{call.notification}</Id></a></Fact>
        )}
        <Fact name="Attempts">{call.attempts}</Fact>
        {call.nextAttemptAt && <Fact name="Next attempt"><Time at={call.nextAttemptAt} /></Fact>}
        <Fact name="Made"><Time at={call.createdAt} /></Fact>
        <Fact name="Id"><Id>{call._id}</Id></Fact>
      </Facts>
    </Card>
  );
}

export function EventBody({ channel, event }: { channel: string; event: string }) {
  const path = inChannel(channel, 'events', event);
  const text = useLoad((signal) => api.text(path, signal), [path]);
  return (
    <Card title="The event's body">
      <Load from={text} rows={4}>{(data) => <JsonView text={rawMember(data, 'payload') ?? ''} what="the event's body" />}</Load>
    </Card>
  );
}
