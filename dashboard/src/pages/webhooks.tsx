// The webhooks of a channel.
import { useState } from 'preact/hooks';
import { inChannel } from '../lib/api';
import { useChannel, useManageReason } from '../lib/context';
import { usePages } from '../lib/hooks';
import { type Params, href, setQuery, usePlace } from '../lib/router';
import { EVENT_TYPES, type Webhook } from '../lib/types';
import { Button, LinkButton, StateBadge, Text, Time } from '../ui/basics';
import { SelectField, TextField } from '../ui/form';
import { Card, Empty, Page } from '../ui/page';
import { PagedTable } from '../ui/table';

export type WebhookState = 'enabled' | 'failing' | 'disabled';

export const stateOf = ({ enabled, failingSince }: Webhook): WebhookState =>
  (!enabled ? 'disabled' : failingSince ? 'failing' : 'enabled');

export const typesOf = ({ events }: Webhook) =>
  (events.length === EVENT_TYPES.length ? 'all events' : events.join(', '));

const STATES = [['', 'All'], ['enabled', 'Enabled'], ['failing', 'Failing'], ['disabled', 'Disabled']] as const;

function fits(webhook: Webhook, text: string, state: string): boolean {
  if (state && stateOf(webhook) !== state) return false;
  const all = `${webhook.url} ${webhook.description ?? ''} ${webhook._id}`.toLowerCase();
  return all.includes(text.trim().toLowerCase());
}

export function Webhooks({ params }: { params: Params }) {
  const id = params.c!;
  const { query } = usePlace();
  const [text, setText] = useState(query.get('text') ?? '');
  const state = query.get('state') ?? '';
  const pages = usePages<Webhook>(inChannel(id, 'webhooks'), { limit: 100 });
  const channel = useChannel();
  const filtered = text.trim() !== '' || state !== '';
  const make = <Create channel={id} />;

  return (
    <Page title="Webhooks" crumbs={[{ to: href('c', id), text: channel.data?.name ?? id }]} actions={make}>
      <Card flush>
        {(pages.rows.length > 0 || filtered) && (
          <div class="filters">
            <TextField label="Search" type="search" value={text} placeholder="URL, description or id"
              onInput={(next) => { setText(next); setQuery({ text: next }); }} />
            <SelectField label="State" value={state} choices={STATES} onChange={(next) => setQuery({ state: next })} />
          </div>
        )}
        <PagedTable caption="Webhooks" pages={pages} fits={filtered ? (each) => fits(each, text, state) : undefined} id={({ _id }) => _id}
          empty={(
            <Empty title="No webhooks yet" icon="webhook" action={make}>
              A webhook is a URL that the events of this channel are sent to, signed.
            </Empty>
          )}
          none={(
            <Empty title="None of the loaded webhooks fits" icon="search"
              action={filtered && <Button onClick={() => { setText(''); setQuery({ text: null, state: null }); }}>Show all</Button>}>
              {pages.done ? 'All of them are loaded.' : 'There are more: search on.'}
            </Empty>
          )}
          columns={[
            {
              name: 'Webhook',
              main: true,
              cell: (webhook) => (
                <div class="two-lines">
                  <a href={href('c', id, 'webhooks', webhook._id)}><Text lines={2}>{webhook.url}</Text></a>
                  <span class="muted"><Text lines={2}>{webhook.description}</Text></span>
                </div>
              ),
            },
            {
              name: 'State',
              cell: (webhook) => (
                <div class="two-lines">
                  <span><StateBadge state={stateOf(webhook)} /></span>
                  {webhook.failingSince && webhook.enabled && <span class="muted">since <Time at={webhook.failingSince} /></span>}
                  {!webhook.enabled && <span class="muted"><Text lines={2}>{webhook.disabledReason}</Text></span>}
                </div>
              ),
            },
            { name: 'Events', cell: (webhook) => <div class="muted types">{typesOf(webhook)}</div> },
            { name: 'Made', cell: ({ createdAt }) => <Time at={createdAt} /> },
          ]} />
      </Card>
    </Page>
  );
}

function Create({ channel }: { channel: string }) {
  const reason = useManageReason();
  return reason
    ? <Button kind="primary" icon="plus" reason={reason}>Create webhook</Button>
    : <LinkButton kind="primary" icon="plus" to={href('c', channel, 'webhooks', 'new')}>Create webhook</LinkButton>;
}
