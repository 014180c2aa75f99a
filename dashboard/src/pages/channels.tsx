// All channels, and making one.
import { useState } from 'preact/hooks';
import { api } from '../lib/api';
import { useAdminReason } from '../lib/context';
import { toIso } from '../lib/format';
import { useAction, usePages } from '../lib/hooks';
import { go, href } from '../lib/router';
import type { Channel } from '../lib/types';
import { Badge, Button, Id, Text, Time } from '../ui/basics';
import { Dialog } from '../ui/dialog';
import { Choose, Form, TextField, errorAt } from '../ui/form';
import { Card, Empty, Note, Page } from '../ui/page';
import { PagedTable } from '../ui/table';
import { toast } from '../ui/toast';

const fits = ({ _id, name }: Channel, text: string) => `${_id} ${name}`.toLowerCase().includes(text.trim().toLowerCase());

export function Trial({ channel: { trialEndsAt, trialEnded } }: { channel: Channel }) {
  if (!trialEndsAt) return <span class="muted">no</span>;
  return trialEnded
    ? <Badge tone="warn" icon="pause">Ended <Time at={trialEndsAt} /></Badge>
    : <Badge tone="info" icon="clock">Ends <Time at={trialEndsAt} /></Badge>;
}

// What a channel's pages say of its trial; nothing while the end is far.
const SOON_MS = 7 * 86_400_000;

export function TrialNote({ channel }: { channel: Channel | null }) {
  if (!channel?.trialEndsAt) return null;
  if (channel.trialEnded) {
    return (
      <Note tone="warn" icon="pause">
        The trial of this channel ended <Time at={channel.trialEndsAt} />: events are refused and its calls are held. Nothing is
        deleted; an admin can lift the limit under Settings.
      </Note>
    );
  }
  if (Date.parse(channel.trialEndsAt) - Date.now() > SOON_MS) return null;
  return <Note icon="clock">The trial of this channel ends <Time at={channel.trialEndsAt} />.</Note>;
}

export function Channels() {
  const pages = usePages<Channel>('/v1/channels', { limit: 100 });
  const [text, setText] = useState('');
  const [making, setMaking] = useState(false);
  const reason = useAdminReason();
  const make = <Button kind="primary" icon="plus" reason={reason} onClick={() => setMaking(true)}>Create channel</Button>;
  return (
    <Page title="Channels" actions={make}>
      <Card flush>
        {(pages.rows.length > 0 || text) && (
          <div class="filters">
            <TextField label="Search" type="search" value={text} onInput={setText} placeholder="name or id" />
          </div>
        )}
        <PagedTable caption="Channels" pages={pages} id={({ _id }) => _id} fits={text.trim() ? (each) => fits(each, text) : undefined}
          empty={(
            <Empty title="No channels yet" icon="channels" action={make}>
              A channel is one website or app: its events go to its own webhooks, and a key can be for it alone.
            </Empty>
          )}
          none={<Empty title="None of the loaded channels fits" icon="search">There may be others: search on, or for something else.</Empty>}
          columns={[
            { name: 'Name', main: true, cell: ({ _id, name }) => <a href={href('c', _id)}><Text lines={2}>{name}</Text></a> },
            { name: 'Id', cell: ({ _id }) => <Id>{_id}</Id> },
            { name: 'Trial', cell: (channel) => <Trial channel={channel} /> },
            { name: 'Made', cell: ({ createdAt }) => <Time at={createdAt} /> },
          ]} />
      </Card>
      {making && <CreateChannel onClose={() => setMaking(false)} />}
    </Page>
  );
}

type TrialKind = 'no' | 'month' | 'date';
const TRIALS = [['no', 'No'], ['month', '30 days'], ['date', 'Until a date']] as const;

export function TrialField({ kind, until, onKind, onUntil, error }: {
  kind: TrialKind; until: string; onKind: (kind: TrialKind) => void; onUntil: (until: string) => void; error: unknown;
}) {
  return (
    <div class="field">
      <span class="field-name">Trial</span>
      <div><Choose label="Trial" value={kind} choices={TRIALS} onChange={onKind} /></div>
      <div class="hint">When a trial ends, events are refused and calls are held. Nothing is deleted.</div>
      {kind === 'date' && (
        <TextField label="Ends at" type="datetime-local" value={until} onInput={onUntil} required error={errorAt(error, '/trialEndsAt')} />
      )}
    </div>
  );
}

export function trialBody(kind: TrialKind, until: string) {
  if (kind === 'month') return { trial: true };
  return kind === 'date' ? { trialEndsAt: toIso(until) } : {};
}

function CreateChannel({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('');
  const [id, setId] = useState('');
  const [kind, setKind] = useState<TrialKind>('no');
  const [until, setUntil] = useState('');
  const { run, busy, error } = useAction(async () => {
    const made = await api.post<Channel>('/v1/channels', { name, ...(id && { _id: id }), ...trialBody(kind, until) });
    toast.ok('The channel is made.');
    go(href('c', made._id));
  });
  return (
    <Dialog title="Create a channel" onClose={onClose}>
      <Form onSubmit={() => void run()} error={error} places={['/name', '/_id', '/trialEndsAt']} footer={(
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={busy}>Create channel</Button>
        </>
      )}>
        <TextField label="Name" value={name} onInput={setName} required error={errorAt(error, '/name')}
          hint="For people: the website or app." />
        <TextField label="Id" value={id} onInput={setId} optional mono error={errorAt(error, '/_id')}
          hint="For programs. One is made if you give none; it never changes." />
        <TrialField kind={kind} until={until} onKind={setKind} onUntil={setUntil} error={error} />
      </Form>
    </Dialog>
  );
}
