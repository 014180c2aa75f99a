// One webhook: how it does, what it is, and what can be done to it.
import { useState } from 'preact/hooks';
import { api, inChannel } from '../lib/api';
import { useChannel, useManageReason } from '../lib/context';
import { useAction, useLoad } from '../lib/hooks';
import { type Params, go, href, hrefWith } from '../lib/router';
import type { Webhook } from '../lib/types';
import { Button, Id, LinkButton, StateBadge, Text, Time } from '../ui/basics';
import { Confirm } from '../ui/dialog';
import { Card, ErrorBox, Fact, Facts, Load, Note, Page } from '../ui/page';
import { toast } from '../ui/toast';
import { Figures, RangeChoice, useRange } from './stats';
import { RotateSecret, ShowSecret, TestEvent } from './webhook-actions';
import { retryText } from './webhook-form';
import { stateOf, typesOf } from './webhooks';

type Open = 'test' | 'rotate' | 'secret' | 'disable' | 'delete' | null;

export function WebhookPage({ params }: { params: Params }) {
  const [id, w] = [params.c!, params.w!];
  const path = inChannel(id, 'webhooks', w);
  const webhook = useLoad((signal) => api.get<Webhook>(path, undefined, signal), [path], 30_000);
  const channel = useChannel();
  const [range, setRange] = useRange();
  const [open, setOpen] = useState<Open>(null);
  const close = () => setOpen(null);

  return (
    <Page title={webhook.data?.url ?? w} crumbs={[
      { to: href('c', id), text: channel.data?.name ?? id },
      { to: href('c', id, 'webhooks'), text: 'Webhooks' },
    ]}>
      <Load from={webhook} rows={8}>
        {(data) => (
          <>
            <Actions webhook={data} path={path} onOpen={setOpen} onChange={webhook.set} />
            <Health webhook={data} />
            <div class="row spread">
              <h2>Figures</h2>
              <RangeChoice range={range} onChange={setRange} />
            </div>
            <Figures path={inChannel(id, 'stats')} range={range} webhook={w} />
            <Settings webhook={data} />
            {open === 'test' && <TestEvent webhook={data} onClose={close} />}
            {open === 'rotate' && <RotateSecret webhook={data} onClose={close} />}
            {open === 'secret' && <ShowSecret webhook={data} onClose={close} />}
            {open === 'disable' && (
              <Confirm title="Disable the webhook?" action="Disable" onClose={close} onConfirm={async () => {
                webhook.set(await api.patch<Webhook>(path, { enabled: false }));
                toast.ok('The webhook is disabled: its calls are held.');
              }}>
                <p>Its calls are held until it is enabled again. Nothing is lost, and events go on coming in.</p>
              </Confirm>
            )}
            {open === 'delete' && (
              <Confirm title="Delete the webhook?" action="Delete webhook" danger word={w} onClose={close}
                onConfirm={async () => {
                  await api.delete(path);
                  toast.ok('The webhook is deleted.');
                  go(href('c', id, 'webhooks'));
                }}>
                <p>Its waiting and held calls are cancelled. This cannot be undone.</p>
                <p><Text mono>{data.url}</Text></p>
              </Confirm>
            )}
          </>
        )}
      </Load>
    </Page>
  );
}

function Actions({ webhook, path, onOpen, onChange }: {
  webhook: Webhook; path: string; onOpen: (open: Open) => void; onChange: (webhook: Webhook) => void;
}) {
  const reason = useManageReason();
  const { channel, _id } = webhook;
  const enable = useAction(async () => {
    onChange(await api.patch<Webhook>(path, { enabled: true }));
    toast.ok('The webhook is enabled: what was held goes out.');
  });
  return (
    <>
      <div class="row">
        <Button kind="primary" icon="send" reason={reason} onClick={() => onOpen('test')}>Send test event</Button>
        {reason
          ? <Button icon="edit" reason={reason}>Edit</Button>
          : <LinkButton icon="edit" to={href('c', channel, 'webhooks', _id, 'edit')}>Edit</LinkButton>}
        {webhook.enabled
          ? <Button icon="pause" reason={reason} onClick={() => onOpen('disable')}>Disable</Button>
          : <Button icon="check" reason={reason} busy={enable.busy} onClick={() => void enable.run()}>Enable</Button>}
        <Button icon="eye" reason={reason} onClick={() => onOpen('secret')}>Show secret</Button>
        <Button icon="retry" reason={reason} onClick={() => onOpen('rotate')}>Rotate secret</Button>
        <LinkButton icon="calls" to={hrefWith(['c', channel, 'calls'], { webhook: _id })}>Calls</LinkButton>
        {!reason && (
          <LinkButton icon="jobs" to={hrefWith(['c', channel, 'replay'], { webhook: _id, range: webhook.failingSince && 'failing' })}>
            Replay
          </LinkButton>
        )}
        <Button icon="trash" kind="danger" reason={reason} onClick={() => onOpen('delete')}>Delete</Button>
      </div>
      <ErrorBox error={enable.error} />
    </>
  );
}

function Health({ webhook }: { webhook: Webhook }) {
  if (!webhook.enabled) {
    return (
      <Note tone="warn" icon="pause">
        Disabled{webhook.disabledReason && <>: <Text>{webhook.disabledReason}</Text></>}. Its calls are held until it is enabled.
      </Note>
    );
  }
  if (!webhook.failingSince) return null;
  return (
    <Note tone="warn">
      Every attempt has failed since <Time at={webhook.failingSince} />. Its calls say why; when it answers again, they go out
      by themselves.
    </Note>
  );
}

function Settings({ webhook }: { webhook: Webhook }) {
  const headers = Object.entries(webhook.headers);
  return (
    <Card title="Settings">
      <Facts>
        <Fact name="State"><StateBadge state={stateOf(webhook)} /></Fact>
        <Fact name="URL"><Text mono>{webhook.url}</Text></Fact>
        {webhook.description && <Fact name="Description"><Text>{webhook.description}</Text></Fact>}
        <Fact name="Events">{typesOf(webhook)}</Fact>
        {headers.length > 0 && (
          <Fact name="Headers">
            {headers.map(([name, value]) => <div key={name}><Text mono>{`${name}: ${value}`}</Text></div>)}
          </Fact>
        )}
        <Fact name="Retries">{retryText(webhook.retry)}</Fact>
        <Fact name="Signature">{webhook.keyType === 'ed25519' ? 'public key (ed25519)' : 'shared secret (HMAC-SHA256)'}</Fact>
        {webhook.publicKey && <Fact name="Public key"><Text mono>{webhook.publicKey}</Text></Fact>}
        <Fact name="Id"><Id>{webhook._id}</Id></Fact>
        <Fact name="Made"><Time at={webhook.createdAt} /></Fact>
        <Fact name="Changed"><Time at={webhook.updatedAt} /></Fact>
      </Facts>
    </Card>
  );
}
