// A channel's name, trial and end.
import { useState } from 'preact/hooks';
import { api, inChannel } from '../lib/api';
import { useAdminReason, useChannel } from '../lib/context';
import { toIso, toLocal } from '../lib/format';
import { useAction } from '../lib/hooks';
import { type Params, go, href } from '../lib/router';
import type { Channel } from '../lib/types';
import { Button, Id, Time } from '../ui/basics';
import { Confirm } from '../ui/dialog';
import { Form, TextField, errorAt } from '../ui/form';
import { Card, Fact, Facts, Load, Page } from '../ui/page';
import { toast } from '../ui/toast';
import { Trial } from './channels';

export function ChannelSettings({ params }: { params: Params }) {
  const channel = useChannel();
  return (
    <Page title="Settings" crumbs={[{ to: href('c', params.c!), text: channel.data?.name ?? params.c! }]}>
      <Load from={channel} rows={6}>
        {(data) => data && (
          <>
            <About channel={data} />
            <Rename key={data.name} channel={data} onChange={channel.set} />
            <ChangeTrial key={data.trialEndsAt} channel={data} onChange={channel.set} />
            <Delete channel={data} />
          </>
        )}
      </Load>
    </Page>
  );
}

function About({ channel }: { channel: Channel }) {
  return (
    <Card title="Channel">
      <Facts>
        <Fact name="Id"><Id>{channel._id}</Id></Fact>
        <Fact name="Trial"><Trial channel={channel} /></Fact>
        <Fact name="Made"><Time at={channel.createdAt} /></Fact>
        <Fact name="Changed"><Time at={channel.updatedAt} /></Fact>
      </Facts>
    </Card>
  );
}

interface Part {
  channel: Channel;
  onChange: (channel: Channel) => void;
}

function Rename({ channel, onChange }: Part) {
  const [name, setName] = useState(channel.name);
  const reason = useAdminReason();
  const { run, busy, error } = useAction(async () => {
    onChange(await api.patch<Channel>(inChannel(channel._id), { name }));
    toast.ok('The channel is renamed.');
  });
  return (
    <Card title="Name">
      <Form onSubmit={() => !reason && void run()} error={error} places={['/name']} footer={(
        <Button type="submit" busy={busy} reason={reason ?? (name === channel.name && 'it is the same')}>Rename</Button>
      )}>
        <TextField label="Name" value={name} onInput={setName} required error={errorAt(error, '/name')} />
      </Form>
    </Card>
  );
}

function ChangeTrial({ channel, onChange }: Part) {
  const [until, setUntil] = useState(toLocal(channel.trialEndsAt));
  const reason = useAdminReason();
  const save = useAction(async (body: object, done: string) => {
    onChange(await api.patch<Channel>(inChannel(channel._id), body));
    toast.ok(done);
  });
  return (
    <Card title="Trial">
      <Form onSubmit={() => !reason && void save.run({ trialEndsAt: toIso(until) }, 'The trial ends then.')} error={save.error}
        places={['/trialEndsAt']} footer={(
          <>
            {channel.trialEndsAt && (
              <Button reason={reason} busy={save.busy}
                onClick={() => void save.run({ trialEndsAt: null }, 'The channel is no trial any more.')}>End the limit</Button>
            )}
            <Button type="submit" reason={reason} busy={save.busy}>Set the end</Button>
          </>
        )}>
        <p class="muted">
          From its end on, events are refused with the reason and calls are held. Nothing is deleted: without a limit, or with a
          later one, all goes on.
        </p>
        <TextField label="The trial ends at" type="datetime-local" value={until} onInput={setUntil} required
          error={errorAt(save.error, '/trialEndsAt')} />
      </Form>
    </Card>
  );
}

function Delete({ channel }: { channel: Channel }) {
  const [open, setOpen] = useState(false);
  const reason = useAdminReason();
  return (
    <Card title="Delete">
      <div class="row spread">
        <p class="muted">The channel, its webhooks, subscriptions and keys go, and with them what has not been sent.</p>
        <Button kind="danger" icon="trash" reason={reason} onClick={() => setOpen(true)}>Delete channel</Button>
      </div>
      {open && (
        <Confirm title="Delete the channel?" action="Delete channel" danger word={channel._id} onClose={() => setOpen(false)}
          onConfirm={async () => {
            await api.delete(inChannel(channel._id));
            toast.ok('The channel is deleted.');
            go(href('channels'));
          }}>
          <p>Everything of it goes, and its waiting calls are never sent. This cannot be undone.</p>
        </Confirm>
      )}
    </Card>
  );
}
