// Keys: made (and shown once), listed, deleted.
import { useState } from 'preact/hooks';
import { api, at } from '../lib/api';
import { useMe } from '../lib/context';
import { toIso } from '../lib/format';
import { useAction, useLoad, usePages } from '../lib/hooks';
import { href } from '../lib/router';
import type { Channel, Key, List, Role } from '../lib/types';
import { Badge, Button, Id, SecretText, Text, Time } from '../ui/basics';
import { Confirm, Dialog } from '../ui/dialog';
import { Choose, Form, SelectField, TextField, errorAt } from '../ui/form';
import { Card, Empty, Note, Page } from '../ui/page';
import { PagedTable } from '../ui/table';
import { toast } from '../ui/toast';

const ROLES: readonly (readonly [Role, string])[] = [
  ['manage', 'manage: everything of one channel'],
  ['read', 'read: looks, changes nothing'],
  ['ingest', 'ingest: sends events of one channel'],
  ['admin', 'admin: everything'],
];

export function Keys() {
  const me = useMe();
  const pages = usePages<Key>('/v1/keys', { limit: 100 });
  const [making, setMaking] = useState(false);
  const [leaving, setLeaving] = useState<Key | null>(null);
  const make = <Button kind="primary" icon="plus" onClick={() => setMaking(true)}>Create key</Button>;
  const isPast = ({ expiresAt }: Key) => expiresAt !== null && Date.parse(expiresAt) <= Date.now();
  return (
    <Page title="Keys" actions={make}>
      <Card flush>
        <PagedTable caption="Keys" pages={pages} id={({ _id }) => _id} empty={<Empty title="No keys" icon="key" action={make} />}
          columns={[
            {
              name: 'Key',
              main: true,
              cell: ({ _id }) => <span class="row"><Id>{_id}</Id>{_id === me.key && <Badge tone="info">you use it now</Badge>}</span>,
            },
            { name: 'Role', cell: ({ role }) => role },
            {
              name: 'Channel',
              cell: ({ channel }) => (channel ? <a href={href('c', channel)}><Text mono>{channel}</Text></a> : <span class="muted">all</span>),
            },
            {
              name: 'Expires',
              cell: (key) => (isPast(key) ? <Badge tone="warn" icon="clock">expired <Time at={key.expiresAt} /></Badge> : <Time at={key.expiresAt} />),
            },
            { name: 'Made', cell: ({ createdAt }) => <Time at={createdAt} /> },
            {
              name: 'Actions',
              hideName: true,
              cell: (key) => <Button small kind="danger" icon="trash" label={`Delete ${key._id}`} onClick={() => setLeaving(key)}>Delete</Button>,
            },
          ]} />
      </Card>
      {making && <CreateKey onClose={() => setMaking(false)} onMade={pages.reload} />}
      {leaving && (
        <Confirm title="Delete the key?" action="Delete key" danger onClose={() => setLeaving(null)} onConfirm={async () => {
          await api.delete(at('keys', leaving._id));
          pages.change((rows) => rows.filter((each) => each !== leaving));
          toast.ok('The key is deleted.');
        }}>
          <p>Whoever uses <Text mono>{leaving._id}</Text> is refused from now on. This cannot be undone.</p>
          {leaving._id === me.key && <Note tone="warn">You are signed in with this key: you will be signed out.</Note>}
        </Confirm>
      )}
    </Page>
  );
}

type Expiry = 'never' | 'month' | 'year' | 'date';
const EXPIRIES = [['never', 'Never'], ['month', '30 days'], ['year', 'A year'], ['date', 'Date']] as const;
const DAY_MS = 86_400_000;

function expiresAt(expiry: Expiry, until: string): string | null {
  const days = { month: 30, year: 365 };
  if (expiry === 'date') return toIso(until);
  return expiry === 'never' ? null : new Date(Date.now() + days[expiry] * DAY_MS).toISOString();
}

function CreateKey({ onClose, onMade }: { onClose: () => void; onMade: () => void }) {
  const [role, setRole] = useState<Role>('manage');
  const [channel, setChannel] = useState('');
  const [expiry, setExpiry] = useState<Expiry>('never');
  const [until, setUntil] = useState('');
  const [made, setMade] = useState<Key | null>(null);
  const channels = useLoad((signal) => api.get<List<Channel>>('/v1/channels', { limit: 200 }, signal), []);
  const { run, busy, error } = useAction(async () => {
    const body = { role, channel: role === 'admin' ? null : channel.trim() || null, expiresAt: expiresAt(expiry, until) };
    setMade(await api.post<Key>('/v1/keys', body));
    onMade();
  });
  if (made) {
    return (
      <Dialog title="The key is made" onClose={onClose}>
        <div class="stack">
          <Note tone="warn">This is the only time that it is shown: copy it now.</Note>
          <SecretText text={made.key!} what="the key" shown />
          <div class="row form-foot"><Button kind="primary" onClick={onClose}>Done</Button></div>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title="Create a key" onClose={onClose}>
      <Form onSubmit={() => void run()} error={error} places={['/role', '/channel', '/expiresAt']} footer={(
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={busy}>Create key</Button>
        </>
      )}>
        <SelectField label="Role" value={role} onChange={(next) => setRole(next as Role)} choices={ROLES} error={errorAt(error, '/role')} />
        {role !== 'admin' && (
          <TextField label="Channel" value={channel} onInput={setChannel} mono required={role !== 'read'} optional={role === 'read'}
            list={channels.data?.data.map(({ _id }) => _id)} error={errorAt(error, '/channel')}
            hint={role === 'read' ? 'Its id. Without one the key reads all channels.' : 'Its id: the key sees nothing else.'} />
        )}
        <div class="field">
          <span class="field-name">Expires</span>
          <div><Choose label="Expires" value={expiry} choices={EXPIRIES} onChange={setExpiry} /></div>
        </div>
        {expiry === 'date' && (
          <TextField label="Expires at" type="datetime-local" value={until} onInput={setUntil} required error={errorAt(error, '/expiresAt')} />
        )}
      </Form>
    </Dialog>
  );
}
