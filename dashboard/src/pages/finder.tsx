// "Where is my event?": any id goes to the page that knows of it.
import { useState } from 'preact/hooks';
import { Problem, api, inChannel } from '../lib/api';
import { useAction } from '../lib/hooks';
import { go, href, hrefWith } from '../lib/router';
import type { List } from '../lib/types';
import { Button, LinkButton } from '../ui/basics';
import { ErrorBox, Note } from '../ui/page';

const KINDS: [RegExp, string, string][] = [
  [/^evt_/, 'events', 'event'],
  [/^call_/, 'calls', 'call'],
  [/^wh_/, 'webhooks', 'webhook'],
  [/^job_/, 'jobs', 'job'],
];

const ID = /^[A-Za-z0-9_.-]{1,64}$/;

async function exists(path: string): Promise<boolean> {
  try {
    await api.get(path);
    return true;
  } catch (error) {
    if (error instanceof Problem && (error.status === 404 || error.status === 400)) return false;
    throw error;
  }
}

const anyEvent = async (channel: string, query: Record<string, string>) =>
  (await api.get<List<unknown>>(inChannel(channel, 'events'), { ...query, limit: 1 })).data.length > 0;

// The address of the page for an id; null when nothing has it.
async function placeOf(channel: string, id: string): Promise<string | null> {
  const kind = KINDS.find(([pattern]) => pattern.test(id));
  if (kind) return (await exists(inChannel(channel, kind[1], id))) ? href('c', channel, kind[1], id) : null;
  const [subscription, notification] = await Promise.all([
    exists(inChannel(channel, 'subscriptions', id)), exists(inChannel(channel, 'notifications', id)),
  ]);
  if (subscription) return href('c', channel, 'subscriptions', id);
  if (notification) return href('c', channel, 'notifications', id);
  // Nobody has told us of it, but events may speak of it all the same.
  for (const name of ['subscription', 'notification']) {
    if (await anyEvent(channel, { [name]: id })) return hrefWith(['c', channel, 'events'], { [name]: id });
  }
  return null;
}

export function Finder({ channel }: { channel: string }) {
  const [text, setText] = useState('');
  const [missing, setMissing] = useState<string | null>(null);
  const { run, busy, error } = useAction(async () => {
    const id = text.trim();
    setMissing(null);
    if (!id) return;
    const to = ID.test(id) ? await placeOf(channel, id) : null;
    if (to) go(to);
    else setMissing(id);
  });
  return (
    <search class="finder">
      <form onSubmit={(event) => {
        event.preventDefault();
        void run();
      }}>
        <label for="finder">Where is my event?</label>
        <div class="finder-row">
          <input id="finder" type="search" class="mono" value={text} autocomplete="off" spellcheck={false} dir="auto" maxLength={500}
            placeholder="the id of an event, call, subscription, notification, webhook or job"
            onInput={(event) => setText(event.currentTarget.value)} />
          <Button type="submit" kind="primary" icon="search" busy={busy}>Find</Button>
        </div>
      </form>
      <div role="status">{missing !== null && <Missing channel={channel} text={missing} />}</div>
      <ErrorBox error={error} />
    </search>
  );
}

function Missing({ channel, text }: { channel: string; text: string }) {
  const kind = KINDS.find(([pattern]) => pattern.test(text))?.[2];
  const fits = new TextEncoder().encode(text).length <= 200;
  return (
    <Note tone="warn" icon="search" action={!kind && fits && (
      <LinkButton small to={hrefWith(['c', channel, 'calls'], { error: text })}>Search the errors for it</LinkButton>
    )}>
      {kind
        ? `This channel has no such ${kind}. It may be of another channel, or older than what is kept.`
        : 'Nothing in this channel has this id.'}
    </Note>
  );
}
