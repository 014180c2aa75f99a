// A time range sent to a webhook once more: what matches is counted before anything is sent.
import { useState } from 'preact/hooks';
import { api, inChannel } from '../lib/api';
import { useChannel, useManageReason } from '../lib/context';
import { toIso, toLocal } from '../lib/format';
import { type Job, RANGES, spanOf } from '../lib/history';
import { useAction, useLoad } from '../lib/hooks';
import { type Params, go, href, usePlace } from '../lib/router';
import { EVENT_TYPES, type Webhook } from '../lib/types';
import { type Webhooks, useWebhooks } from '../lib/webhooks';
import { Button, LinkButton, StateBadge, Text } from '../ui/basics';
import { Check, type Choice, Choose, Form, Group, SelectField, TextField, errorAt } from '../ui/form';
import { Card, Empty, ErrorBox, Note, Page } from '../ui/page';
import { Counted, PACE, calls, paceOf } from './bulk';
import { DryRun } from './job-parts';
import { stateOf } from './webhooks';

interface Wanted {
  webhook: string;
  range: string;
  since: string | null;
  until: string | null;
  states: string[];
  types: string[] | null; // null: those that the webhook wants
  pace: string;
}

// What succeeded is sent again only when somebody asks for it.
const STATES = [
  ['failed', 'Failed', 'All attempts were used'],
  ['waiting', 'Waiting', 'An attempt failed and the next is still to come: it is tried now'],
  ['missing', 'No call yet', 'Events that the webhook never got: from before it was made, or that its filter left out'],
  ['cancelled', 'Cancelled', 'Taken back by hand or by a job'],
  ['succeeded', 'Succeeded', 'The receiver gets these a second time'],
] as const;
const SAFE = ['failed', 'waiting', 'missing', 'cancelled'];

function startOf(query: URLSearchParams): Wanted {
  const types = query.get('types');
  return {
    webhook: query.get('webhook') ?? '',
    range: query.get('range') || '1h',
    since: query.get('since'),
    until: query.get('until'),
    states: query.get('states')?.split(',') ?? SAFE,
    types: types ? types.split(',') : null,
    pace: String(PACE),
  };
}

// A link may speak of a failure that is over by now.
const rangeOf = ({ range }: Wanted, webhook: Webhook | null) => (range === 'failing' && !webhook?.failingSince ? '1h' : range);

function bodyOf(wanted: Wanted, webhook: Webhook | null) {
  const { since, until, states, types, pace } = wanted;
  const range = rangeOf(wanted, webhook);
  const span = range === 'failing' ? { since: webhook!.failingSince, until: null } : spanOf(range, since, until, Date.now());
  return {
    since: span.since ?? undefined,
    until: span.until ?? undefined,
    states,
    types: types ?? undefined,
    pace: paceOf(pace),
  };
}

export function Replay({ params }: { params: Params }) {
  const id = params.c!;
  const channel = useChannel();
  const reason = useManageReason();
  const crumbs = [
    { to: href('c', id), text: channel.data?.name ?? id },
    { to: href('c', id, 'jobs'), text: 'Jobs' },
  ];
  return (
    <Page title="Replay" crumbs={crumbs} lead="Sends the events of a time to a webhook once more. Live events go first.">
      {reason
        ? <Card><Empty title={`A replay is not for this key: ${reason}`} icon="stop" /></Card>
        : <ReplayForm channel={id} />}
    </Page>
  );
}

function ReplayForm({ channel }: { channel: string }) {
  const { query } = usePlace();
  const [wanted, setWanted] = useState<Wanted>(() => startOf(query));
  const [asked, setAsked] = useState<{ body: object; webhook: string } | null>(null); // it is being counted, or is
  const [counted, setCounted] = useState<Job | null>(null);
  const webhooks = useWebhooks(channel);
  const path = inChannel(channel, 'webhooks', wanted.webhook || '-');
  const webhook = useLoad<Webhook | null>(
    (signal) => (wanted.webhook ? api.get<Webhook>(path, undefined, signal) : Promise.resolve(null)), [path]);

  const change = (next: Partial<Wanted>) => {
    setWanted({ ...wanted, ...next });
    setAsked(null);
    setCounted(null);
    start.clear();
  };
  const start = useAction(async () => {
    const job = await api.post<Job>(inChannel(channel, 'webhooks', asked!.webhook, 'replay'), asked!.body);
    go(href('c', channel, 'jobs', job._id));
  });
  const ready = counted !== null && counted.state === 'done' && counted.matched > 0;
  const missing = !wanted.webhook ? 'choose a webhook first'
    : !webhook.data ? 'the webhook is not there yet'
      : wanted.range === 'custom' && !wanted.since ? 'say from when'
        : wanted.states.length === 0 && 'choose at least one state';
  const submit = () => {
    if (ready) return void start.run();
    if (missing) return;
    setCounted(null);
    setAsked({ body: bodyOf(wanted, webhook.data), webhook: wanted.webhook });
  };

  return (
    <Card>
      <Form onSubmit={submit} error={start.error} places={['/pace']} footer={(
        <>
          <LinkButton to={href('c', channel, 'jobs')}>Cancel</LinkButton>
          {ready
            ? <Button type="submit" kind="primary" icon="jobs" busy={start.busy}>Replay {calls(counted.matched)}</Button>
            : (
              <Button type="submit" kind="primary" icon="search" busy={asked !== null && counted === null} reason={missing}>
                Count what matches
              </Button>
            )}
        </>
      )}>
        <WebhookField webhooks={webhooks} value={wanted.webhook} onChange={(next) => change({ webhook: next })} />
        {webhook.data && <State webhook={webhook.data} />}
        <ErrorBox error={webhook.error} retry={webhook.reload} />
        <RangeFields wanted={wanted} webhook={webhook.data} onChange={change} />
        <Group legend="Which events" error={null}>
          {STATES.map(([state, name, hint]) => (
            <Check key={state} label={name} hint={hint} checked={wanted.states.includes(state)}
              onChange={(on) => change({ states: on ? [...wanted.states, state] : wanted.states.filter((each) => each !== state) })} />
          ))}
        </Group>
        <Types wanted={wanted} onChange={change} />
        <TextField label="Pace" type="number" min={1} max={10_000} value={wanted.pace} onInput={(pace) => change({ pace })} required
          hint="Calls a second at most; live events go first." error={errorAt(start.error, '/pace')} />
        {asked && counted === null && (
          <DryRun channel={channel} path={inChannel(channel, 'webhooks', asked.webhook, 'replay')} body={asked.body} onCounted={setCounted} />
        )}
        {counted && <Counted job={counted} text={`${calls(counted.matched)} would be made or sent again.`} />}
      </Form>
    </Card>
  );
}

function WebhookField({ webhooks, value, onChange }: { webhooks: Webhooks; value: string; onChange: (id: string) => void }) {
  if (!webhooks.complete) return <TextField label="Webhook" value={value} onInput={(id) => onChange(id.trim())} placeholder="wh_…" mono required />;
  const choices: Choice[] = webhooks.all.map(({ _id, url }) => [_id, url.length > 90 ? `${url.slice(0, 89)}…` : url]);
  if (!choices.some(([id]) => id === value)) choices.unshift([value, value || 'Choose one']);
  return <SelectField label="Webhook" value={value} onChange={onChange} choices={choices} />;
}

function State({ webhook }: { webhook: Webhook }) {
  const state = stateOf(webhook);
  if (state === 'enabled') return null;
  return (
    <Note tone="warn" action={<StateBadge state={state} />}>
      {state === 'disabled'
        ? <>The webhook is disabled: what is replayed is held until it is enabled. <Text>{webhook.disabledReason}</Text></>
        : 'The webhook fails at the moment: what is replayed waits until it answers.'}
    </Note>
  );
}

function RangeFields({ wanted, webhook, onChange }: { wanted: Wanted; webhook: Webhook | null; onChange: (next: Partial<Wanted>) => void }) {
  const ranges: Choice[] = RANGES.filter(([range]) => range !== '').map(([range, text]) => [range, text]);
  if (webhook?.failingSince) ranges.unshift(['failing', 'Since the webhook has been failing']);
  return (
    <>
      <SelectField label="Time" value={rangeOf(wanted, webhook)} choices={ranges} onChange={(range) => onChange({ range })} />
      {wanted.range === 'custom' && (
        <div class="pair">
          <TextField label="From" type="datetime-local" step="any" value={toLocal(wanted.since)} required
            onInput={(local) => onChange({ since: toIso(local) })} />
          <TextField label="To" type="datetime-local" step="any" optional value={toLocal(wanted.until)}
            onInput={(local) => onChange({ until: toIso(local) })} />
        </div>
      )}
    </>
  );
}

function Types({ wanted, onChange }: { wanted: Wanted; onChange: (next: Partial<Wanted>) => void }) {
  const { types } = wanted;
  return (
    <Group legend="Types">
      <Choose label="Types" value={types ? 'some' : 'own'} choices={[['own', 'As the webhook wants'], ['some', 'Some']]}
        onChange={(next) => onChange({ types: next === 'own' ? null : [...EVENT_TYPES] })} />
      {types && (
        <div class="checks">
          {EVENT_TYPES.map((type) => (
            <Check key={type} label={type} checked={types.includes(type)}
              onChange={(on) => onChange({ types: on ? [...types, type] : types.filter((each) => each !== type) })} />
          ))}
        </div>
      )}
    </Group>
  );
}
