// Making a webhook, and changing one.
import { useState } from 'preact/hooks';
import { api, inChannel } from '../lib/api';
import { useChannel, useManageReason } from '../lib/context';
import { seconds } from '../lib/format';
import { useAction, useLoad } from '../lib/hooks';
import { type Params, go, href } from '../lib/router';
import { EVENT_TYPES, type Retry, type Webhook } from '../lib/types';
import { Button, LinkButton, SecretText } from '../ui/basics';
import { Check, Choose, Form, Group, SelectField, TextField, errorAt } from '../ui/form';
import { Card, Load, Note, Page } from '../ui/page';
import { toast } from '../ui/toast';

interface Header {
  name: string;
  value: string;
}

interface Values {
  url: string;
  description: string;
  all: boolean;
  events: string[];
  headers: Header[];
  ownRetry: boolean;
  retry: Record<keyof Retry, string>;
  keyType: 'hmac' | 'ed25519';
  enabled: boolean;
}

const DEFAULT_RETRY = { maxRetries: 8, initialDelay: 120, factor: 2, maxDelay: 86400 };

const isDefault = (retry: Retry) =>
  Object.entries(DEFAULT_RETRY).every(([name, value]) => retry[name as keyof Retry] === value);

const asTexts = (retry: Retry) => Object.fromEntries(
  Object.keys(DEFAULT_RETRY).map((name) => [name, String(retry[name as keyof Retry])]),
) as Record<keyof Retry, string>;

const NEW: Values = {
  url: '', description: '', all: true, events: [], headers: [], ownRetry: false, retry: asTexts(DEFAULT_RETRY),
  keyType: 'hmac', enabled: true,
};

const valuesOf = (webhook: Webhook): Values => ({
  url: webhook.url,
  description: webhook.description ?? '',
  all: webhook.events.length === EVENT_TYPES.length,
  events: webhook.events,
  headers: Object.entries(webhook.headers).map(([name, value]) => ({ name, value })),
  ownRetry: !isDefault(webhook.retry),
  retry: asTexts(webhook.retry),
  keyType: webhook.keyType,
  enabled: webhook.enabled,
});

function bodyOf(values: Values) {
  const retry = Object.fromEntries(Object.entries(values.retry).map(([name, text]) => [name, Number(text)]));
  return {
    url: values.url.trim(),
    description: values.description || null,
    events: values.all ? null : values.events,
    headers: Object.fromEntries(values.headers.filter(({ name }) => name.trim()).map(({ name, value }) => [name.trim(), value])),
    retry: values.ownRetry ? retry : null,
    enabled: values.enabled,
  };
}

// When the attempts come, in words: "8 retries, the first after 2 min, the last 8 h 30 min after the event".
export function retryText(retry: Retry): string {
  if (retry.maxRetries === 0) return 'no retries';
  let sum = 0;
  for (let n = 0; n < retry.maxRetries; n++) sum += Math.min(retry.initialDelay * retry.factor ** n, retry.maxDelay);
  const times = retry.maxRetries === 1 ? '1 retry' : `${retry.maxRetries} retries`;
  return `${times}, the first after ${seconds(retry.initialDelay)}, the last about ${seconds(sum)} after the first attempt`;
}

export function NewWebhook({ params }: { params: Params }) {
  const id = params.c!;
  const channel = useChannel();
  const [made, setMade] = useState<Webhook | null>(null);
  const crumbs = [
    { to: href('c', id), text: channel.data?.name ?? id },
    { to: href('c', id, 'webhooks'), text: 'Webhooks' },
  ];
  if (made) return <Made webhook={made} crumbs={crumbs} />;
  return (
    <Page title="Create a webhook" crumbs={crumbs}>
      <WebhookForm start={NEW} isNew cancel={href('c', id, 'webhooks')} action="Create webhook"
        save={async (values) => {
          const body = { ...bodyOf(values), keyType: values.keyType };
          setMade(await api.post<Webhook>(inChannel(id, 'webhooks'), body));
          toast.ok('The webhook is made.');
        }} />
    </Page>
  );
}

// The secret is in this answer; later it is shown only to keys that may manage the channel.
function Made({ webhook, crumbs }: { webhook: Webhook; crumbs: { to: string; text: string }[] }) {
  const to = href('c', webhook.channel, 'webhooks', webhook._id);
  return (
    <Page title="The webhook is made" crumbs={crumbs}>
      <Card title="Its secret">
        <div class="stack">
          <p>
            Each call is signed. The receiver checks that with this secret, as
            the <em>Standard Webhooks</em> libraries do; keep it where only the receiver reads it.
          </p>
          {webhook.secret && <SecretText text={webhook.secret} what="the secret" shown />}
          {webhook.publicKey && (
            <>
              <p>With this key type the receiver needs only the public half:</p>
              <SecretText text={webhook.publicKey} what="the public key" shown />
            </>
          )}
          <Note>Next: send a test event from the webhook's page, and see how the receiver answers.</Note>
          <div class="row form-foot"><LinkButton kind="primary" to={to}>Go to the webhook</LinkButton></div>
        </div>
      </Card>
    </Page>
  );
}

export function EditWebhook({ params }: { params: Params }) {
  const id = params.c!;
  const path = inChannel(id, 'webhooks', params.w!);
  const webhook = useLoad((signal) => api.get<Webhook>(path, undefined, signal), [path]);
  const channel = useChannel();
  const to = href('c', id, 'webhooks', params.w!);
  return (
    <Page title="Edit the webhook" crumbs={[
      { to: href('c', id), text: channel.data?.name ?? id },
      { to: href('c', id, 'webhooks'), text: 'Webhooks' },
      { to, text: webhook.data?.url.slice(0, 60) ?? params.w! },
    ]}>
      <Load from={webhook} rows={8}>
        {(data) => (
          <WebhookForm start={valuesOf(data)} isNew={false} cancel={to} action="Save"
            save={async (values) => {
              await api.patch<Webhook>(path, bodyOf(values));
              toast.ok('Saved.');
              go(to);
            }} />
        )}
      </Load>
    </Page>
  );
}

// ---- the form ----

const PLACES = ['/url', '/description', '/events', '/headers', '/retry'];

function WebhookForm({ start, isNew, save, action, cancel }: {
  start: Values; isNew: boolean; save: (values: Values) => Promise<void>; action: string; cancel: string;
}) {
  const [values, setValues] = useState(start);
  const set = (change: Partial<Values>) => setValues((old) => ({ ...old, ...change }));
  const reason = useManageReason();
  const { run, busy, error } = useAction(() => save(values));
  const none = !values.all && values.events.length === 0;

  return (
    <Card>
      <Form onSubmit={() => !reason && !none && void run()} error={error} places={PLACES} footer={(
        <>
          <LinkButton to={cancel}>Cancel</LinkButton>
          <Button type="submit" kind="primary" busy={busy} reason={reason ?? (none && 'choose at least one event')}>{action}</Button>
        </>
      )}>
        <TextField label="URL" type="url" value={values.url} onInput={(url) => set({ url })} required mono focus={isNew}
          maxLength={2048} error={errorAt(error, '/url')} placeholder="https://example.com/hooks/push"
          hint="The events are sent here, each as a signed POST." />
        <TextField label="Description" value={values.description} onInput={(description) => set({ description })} optional
          maxLength={1000} rows={2} error={errorAt(error, '/description')} />
        <Group legend="Events" error={errorAt(error, '/events')}>
          <div><Choose label="Which events" value={values.all ? 'all' : 'some'} choices={[['all', 'All'], ['some', 'Some']]}
            onChange={(which) => set({ all: which === 'all' })} /></div>
          {!values.all && (
            <div class="checks">
              {EVENT_TYPES.map((type) => (
                <Check key={type} label={type} checked={values.events.includes(type)} onChange={(on) => set({
                  events: EVENT_TYPES.filter((each) => (each === type ? on : values.events.includes(each))),
                })} />
              ))}
            </div>
          )}
        </Group>
        <Headers headers={values.headers} onChange={(headers) => set({ headers })} error={errorAt(error, '/headers')} />
        <RetryFields values={values} set={set} error={error} />
        {isNew && (
          <SelectField label="Signature" value={values.keyType} onChange={(type) => set({ keyType: type as Values['keyType'] })}
            choices={[['hmac', 'One shared secret (HMAC-SHA256)'], ['ed25519', 'Public key (ed25519)']]}
            hint="Most libraries take the shared secret." />
        )}
        <Check label="Enabled" checked={values.enabled} onChange={(enabled) => set({ enabled })}
          hint="While it is not, its calls are held and nothing is lost." />
      </Form>
    </Card>
  );
}

function Headers({ headers, onChange, error }: { headers: Header[]; onChange: (headers: Header[]) => void; error: string | null }) {
  const change = (at: number, header: Partial<Header>) =>
    onChange(headers.map((each, i) => (i === at ? { ...each, ...header } : each)));
  return (
    <Group legend="Headers" hint="Sent along with each call: a token for the receiver, perhaps." error={error}>
      {headers.map((header, i) => (
        <div class="header-row" key={i}>
          <TextField label={`Name ${i + 1}`} value={header.name} onInput={(name) => change(i, { name })} mono required />
          <TextField label={`Value ${i + 1}`} value={header.value} onInput={(value) => change(i, { value })} mono />
          <Button icon="trash" label={`Remove header ${i + 1}`} onClick={() => onChange(headers.filter((_, at) => at !== i))} />
        </div>
      ))}
      {headers.length < 20 && (
        <div><Button small icon="plus" onClick={() => onChange([...headers, { name: '', value: '' }])}>Add header</Button></div>
      )}
    </Group>
  );
}

function RetryFields({ values, set, error }: { values: Values; set: (change: Partial<Values>) => void; error: unknown }) {
  const { retry, ownRetry } = values;
  const field = (name: keyof Retry, label: string, min: number, max: number, hint: string) => (
    <TextField label={label} type="number" value={retry[name]} min={min} max={max} step={name === 'maxRetries' ? 1 : 'any'} required
      onInput={(text) => set({ retry: { ...retry, [name]: text } })} hint={hint} error={errorAt(error, `/retry/${name}`)} />
  );
  const numbers = Object.fromEntries(Object.entries(retry).map(([name, text]) => [name, Number(text)])) as unknown as Retry;
  return (
    <Group legend="Retries">
      <div><Choose label="Retry policy" value={ownRetry ? 'own' : 'default'} choices={[['default', 'Default'], ['own', 'Own']]}
        onChange={(which) => set({ ownRetry: which === 'own' })} /></div>
      {ownRetry && (
        <div class="pair">
          {field('maxRetries', 'Retries', 0, 20, '0 to 20')}
          {field('initialDelay', 'First delay, in seconds', 1, 86400, '1 s to a day')}
          {field('factor', 'Factor', 1, 10, 'each delay is this many times the last')}
          {field('maxDelay', 'Longest delay, in seconds', 1, 604800, 'up to 7 days')}
        </div>
      )}
      <div class="hint">{retryText(ownRetry ? numbers : DEFAULT_RETRY)}.</div>
    </Group>
  );
}
