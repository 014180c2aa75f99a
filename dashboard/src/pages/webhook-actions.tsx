// What a webhook's page opens: a test event, its secret, a new secret.
import { useEffect, useState } from 'preact/hooks';
import { api, inChannel, isAbort } from '../lib/api';
import { duration } from '../lib/format';
import { useAction, useLoad } from '../lib/hooks';
import { href } from '../lib/router';
import { EVENT_TYPES, type Secrets, type Webhook } from '../lib/types';
import { Button, LinkButton, SecretText, StateBadge, Text, Time } from '../ui/basics';
import { Dialog } from '../ui/dialog';
import { Form, SelectField } from '../ui/form';
import { ErrorBox, Load, Note } from '../ui/page';

// ---- a test event ----

interface TestCall {
  _id: string;
  webhook: string;
  state: string;
  attempts: number;
  nextAttemptAt: string | null;
  lastAttempt: { durationMs: number; verdict: string; status: number | null; reason: string | null } | null;
}

const ASK_MS = 400;

export function TestEvent({ webhook, onClose }: { webhook: Webhook; onClose: () => void }) {
  const [type, setType] = useState(webhook.events[0] ?? 'click');
  const [event, setEvent] = useState<string | null>(null);
  const { run, busy, error } = useAction(async () => {
    const path = inChannel(webhook.channel, 'webhooks', webhook._id, 'test');
    setEvent((await api.post<{ _id: string }>(path, { type }))._id);
  });
  return (
    <Dialog title="Send a test event" onClose={onClose}>
      <Form onSubmit={() => void run()} error={error} footer={(
        <>
          <Button onClick={onClose}>Close</Button>
          <Button type="submit" kind="primary" icon="send" busy={busy}>{event ? 'Send another' : 'Send'}</Button>
        </>
      )}>
        <p>A made-up event goes to this webhook alone, signed as every other.</p>
        <SelectField label="Type" value={type} onChange={setType} choices={EVENT_TYPES.map((each) => [each, each] as const)} />
        {event && <Outcome key={event} webhook={webhook} event={event} />}
      </Form>
    </Dialog>
  );
}

// Looks until the first attempt is over.
function Outcome({ webhook, event }: { webhook: Webhook; event: string }) {
  const [call, setCall] = useState<TestCall | null>(null);
  const [error, setError] = useState<unknown>(null);
  const over = call !== null && (call.attempts > 0 || call.state === 'held');

  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    const look = async () => {
      const path = inChannel(webhook.channel, 'events', event);
      try {
        const { calls } = await api.get<{ calls: TestCall[] }>(path, undefined, stop.signal);
        const found = calls.find((each) => each.webhook === webhook._id) ?? null;
        setCall(found);
        if (!found || (found.attempts === 0 && found.state !== 'held')) timer = window.setTimeout(() => void look(), ASK_MS);
      } catch (problem) {
        if (!isAbort(problem)) setError(problem);
      }
    };
    void look();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, []);

  if (error) return <ErrorBox error={error} />;
  const attempt = call?.lastAttempt;
  return (
    <div class="outcome" role="status">
      {over ? <StateBadge state={call.state === 'waiting' ? 'temporary' : call.state} /> : <StateBadge state="inFlight" />}
      <div>
        {attempt && (
          <>
            {attempt.status !== null && <>Status {attempt.status} </>}
            {attempt.status === null && <Text>{attempt.reason}</Text>} after {duration(attempt.durationMs)}
            {call.nextAttemptAt && <>; tried again <Time at={call.nextAttemptAt} /></>}
          </>
        )}
        {call?.state === 'held' && 'Held: the webhook is disabled.'}
      </div>
      {call && <LinkButton small to={href('c', webhook.channel, 'calls', call._id)}>Open the call</LinkButton>}
    </div>
  );
}

// ---- the secret ----

function SecretParts({ secrets }: { secrets: Secrets }) {
  return (
    <>
      <SecretText text={secrets.secret} what="the secret" />
      {secrets.publicKey && <SecretText text={secrets.publicKey} what="the public key" shown />}
      {secrets.old?.map(({ expiresAt }) => (
        <Note key={expiresAt}>An older secret signs as well, until <Time at={expiresAt} />.</Note>
      ))}
    </>
  );
}

export function ShowSecret({ webhook, onClose }: { webhook: Webhook; onClose: () => void }) {
  const path = inChannel(webhook.channel, 'webhooks', webhook._id, 'secret');
  const secrets = useLoad((signal) => api.get<Secrets>(path, undefined, signal), [path]);
  return (
    <Dialog title="The webhook's secret" onClose={onClose}>
      <div class="stack">
        <p>The receiver checks the signatures of calls with it.</p>
        <Load from={secrets} rows={2}>{(data) => <SecretParts secrets={data} />}</Load>
        <div class="row form-foot"><Button onClick={onClose}>Close</Button></div>
      </div>
    </Dialog>
  );
}

const OVERLAPS = [
  ['86400', 'for a day'], ['3600', 'for an hour'], ['604800', 'for 7 days'], ['0', 'not at all: the old secret is known to others'],
] as const;

export function RotateSecret({ webhook, onClose }: { webhook: Webhook; onClose: () => void }) {
  const [overlap, setOverlap] = useState('86400');
  const [secrets, setSecrets] = useState<Secrets | null>(null);
  const { run, busy, error } = useAction(async () => {
    const path = inChannel(webhook.channel, 'webhooks', webhook._id, 'secret', 'rotate');
    setSecrets(await api.post<Secrets>(path, { overlap: Number(overlap) }));
  });
  if (secrets) {
    return (
      <Dialog title="The new secret" onClose={onClose}>
        <div class="stack" role="status">
          <p>Give it to the receiver{overlap === '0' ? ' now: calls are signed with it alone.' : ' in time; until then both sign each call.'}</p>
          <SecretParts secrets={secrets} />
          <div class="row form-foot"><Button kind="primary" onClick={onClose}>Done</Button></div>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title="Rotate the secret" onClose={onClose}>
      <Form onSubmit={() => void run()} error={error} footer={(
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={busy}>Make a new secret</Button>
        </>
      )}>
        <p>A new secret is made. For a while calls can carry a signature of the old one as well, so that no receiver refuses them.</p>
        <SelectField label="The old secret goes on signing" value={overlap} onChange={setOverlap} choices={OVERLAPS} />
      </Form>
    </Dialog>
  );
}
