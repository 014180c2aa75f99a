// Signing in with a key. It is tried out before it is kept.
import { useState } from 'preact/hooks';
import { Problem, request } from '../lib/api';
import { useAction } from '../lib/hooks';
import { go, href, currentPlace } from '../lib/router';
import { keepKey, session } from '../lib/session';
import type { Me } from '../lib/types';
import { Button } from '../ui/basics';
import { Check, Form, TextField } from '../ui/form';
import { Logo } from '../ui/icons';
import { Note } from '../ui/page';

// What the API says, and what a person can do about it.
function explain(error: unknown): unknown {
  if (!(error instanceof Problem) || error.status !== 401) return error;
  const text = error.message.includes('expired')
    ? 'This key has expired. Ask whoever runs the server for a new one.'
    : 'This key is not known here. Keys look like pw_admin_… or pw_manage_…, and are shown once, when they are made.';
  return new Problem(401, error.title, text);
}

const INGEST = new Problem(403, 'Forbidden',
  'This key may only send events (role ingest). Sign in with a key of the role admin, manage or read.');

export function SignIn({ ended }: { ended: string | null }) {
  const [key, setKey] = useState('');
  const [visible, setVisible] = useState(false);
  const { run, busy, error } = useAction(async () => {
    const text = key.trim();
    if (!/^[\x21-\x7e]+$/.test(text)) throw new Problem(401, '', 'This is no key: keys have only letters, digits, "-" and "_".');
    const me = await request<Me>('GET', '/v1/me', { key: text }).catch((problem) => {
      throw explain(problem);
    });
    if (me.role === 'ingest') throw INGEST;
    keepKey(text);
    if (me.channel !== null && currentPlace().path === '/') go(href('c', me.channel), { replace: true });
    session.set({ me, ended: null });
  });
  document.title = 'Sign in · Pushwire';

  return (
    <main class="sign-in">
      <span class="brand"><Logo />Pushwire</span>
      <div class="card">
        <div class="card-body stack">
          <div>
            <h1>Sign in</h1>
            <p class="muted">with an API key of this server</p>
          </div>
          {ended && !error && <Note tone="warn">{ended}</Note>}
          <Form onSubmit={() => void run()} error={error}
            footer={<Button type="submit" kind="primary" busy={busy}>Sign in</Button>}>
            <TextField label="Key" type={visible ? 'text' : 'password'} value={key} onInput={setKey} required focus mono
              hint="It stays in this tab, and is gone when you sign out or close it." />
            <Check label="Show the key" checked={visible} onChange={setVisible} />
          </Form>
        </div>
      </div>
      <p class="help">
        The first start of the server made an admin key: it is in <code>admin.key</code> in the server's data folder. An
        admin can make others under Keys, or with <code>pushwire key create</code>; a key for one channel sees only that
        channel.
      </p>
    </main>
  );
}
