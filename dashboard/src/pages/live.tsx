// Events and attempts of a channel as they happen.
import { useEffect, useRef, useState } from 'preact/hooks';
import { type Query, inChannel } from '../lib/api';
import { useChannel } from '../lib/context';
import { count, duration, exactTime } from '../lib/format';
import type { Attempt, EventRow } from '../lib/history';
import { type Params, href, usePlace } from '../lib/router';
import { type Link, type Message, follow } from '../lib/stream';
import { EVENT_TYPES } from '../lib/types';
import { type Webhooks, useWebhooks } from '../lib/webhooks';
import { Badge, Button, Id, StateBadge, Text } from '../ui/basics';
import { Card, Empty, ErrorBox, Note, Page } from '../ui/page';
import { ChosenFilter, TypedFilter, WebhookFilter } from './filters';

interface LiveAttempt extends Attempt {
  call: string;
  event: string;
  webhook: string;
  type: string;
  subscription: string;
  state: string;
  nextAttemptAt: string | null;
}

// One row: an event with the attempts that came after it, attempts of an event from before, or a gap.
interface Row {
  key: string;
  at: string;
  event: EventRow | null;
  attempts: LiveAttempt[];
  gap?: { from: string; to: string };
}

const MOST_ROWS = 500;
const MOST_ATTEMPTS = 20; // of one row
const SHOW_MS = 200; // what comes in is shown this often
const TELL_MS = 5000; // and told to screen readers this often

let rowNumber = 0;

// The newest first. Rows are never changed in place: those that stay the same are not drawn anew.
function withMessage(rows: Row[], { event: kind, data }: Message): Row[] {
  const body: unknown = JSON.parse(data);
  const key = String(++rowNumber);
  if (kind === 'event') {
    const event = body as EventRow;
    return [{ key, at: event.createdAt, event, attempts: [] }, ...rows];
  }
  if (kind === 'gap') {
    const gap = body as { from: string; to: string };
    return [{ key, at: gap.to, event: null, attempts: [], gap }, ...rows];
  }
  if (kind !== 'attempt') return rows;
  const attempt = body as LiveAttempt;
  const found = rows.findIndex(({ event, attempts }) => (event?._id ?? attempts[0]?.event) === attempt.event);
  if (found < 0) return [{ key, at: attempt.at, event: null, attempts: [attempt] }, ...rows];
  const row = rows[found]!;
  const changed = { ...row, attempts: [...row.attempts, attempt].slice(-MOST_ATTEMPTS) };
  return [...rows.slice(0, found), changed, ...rows.slice(found + 1)];
}

const succeeded = ({ verdict }: Attempt) => verdict === 'ok';

interface Tally {
  events: number;
  attempts: number;
  failed: number;
}

const NOTHING: Tally = { events: 0, attempts: 0, failed: 0 };

function added(tally: Tally, { event, data }: Message): Tally {
  if (event === 'event') return { ...tally, events: tally.events + 1 };
  if (event !== 'attempt') return tally;
  const failed = succeeded(JSON.parse(data) as Attempt) ? 0 : 1;
  return { ...tally, attempts: tally.attempts + 1, failed: tally.failed + failed };
}

// Follows the stream while it is not paused; what comes in is gathered and shown at once.
function useLive(path: string, query: Query, paused: boolean) {
  const [rows, setRows] = useState<Row[]>([]);
  const [tally, setTally] = useState(NOTHING);
  const [link, setLink] = useState<Link>({ state: 'connecting' });
  const place = useRef<{ name: string; after: string | null }>({ name: '', after: null });
  const name = `${path} ${JSON.stringify(query)}`;

  useEffect(() => {
    if (place.current.name === name) return;
    place.current = { name, after: null };
    setRows([]);
    setTally(NOTHING);
  }, [name]);

  useEffect(() => {
    if (paused) return;
    const stop = new AbortController();
    let waiting: Message[] = [];
    let timer = 0;
    const show = () => {
      timer = 0;
      const came = waiting;
      waiting = [];
      setRows((old) => came.reduce(withMessage, old).slice(0, MOST_ROWS));
      setTally((old) => came.reduce(added, old));
    };
    void follow({
      path,
      query,
      after: place.current.after,
      signal: stop.signal,
      onLink: setLink,
      onMessage: (message) => {
        place.current.after = message.id ?? place.current.after;
        if (!message.data) return;
        waiting = [...waiting, message].slice(-MOST_ROWS * 4);
        timer ||= window.setTimeout(show, SHOW_MS);
      },
    });
    return () => {
      stop.abort();
      clearTimeout(timer);
      if (waiting.length > 0) show();
    };
  }, [name, paused]);

  return { rows, tally, link, clear: () => setRows([]) };
}

const KINDS = [['', 'Events and attempts'], ['event', 'Events'], ['attempt', 'Attempts']] as const;
const TYPES = [['', 'All'], ...EVENT_TYPES.map((each) => [each, each] as const)] as const;
const FILTERS = ['kind', 'type', 'webhook', 'subscription'] as const;

export function Live({ params }: { params: Params }) {
  const id = params.c!;
  const place = usePlace();
  const channel = useChannel();
  const webhooks = useWebhooks(id);
  const [paused, setPaused] = useState(false);
  const query = Object.fromEntries(FILTERS.map((name) => [name, place.query.get(name)]));
  const { rows, tally, link, clear } = useLive(inChannel(id, 'stream'), query, paused);

  return (
    <Page title="Live" crumbs={[{ to: href('c', id), text: channel.data?.name ?? id }]} actions={(
      <>
        {paused
          ? <Button kind="primary" icon="live" onClick={() => setPaused(false)}>Go on</Button>
          : <Button icon="pause" onClick={() => setPaused(true)}>Pause</Button>}
        <Button icon="trash" onClick={clear}>Clear</Button>
      </>
    )}>
      <Card flush>
        <div class="filters">
          <ChosenFilter name="kind" label="Show" choices={KINDS} />
          <ChosenFilter name="type" label="Type" choices={TYPES} />
          <WebhookFilter webhooks={webhooks} />
          <TypedFilter name="subscription" label="Subscription" placeholder="its id" />
        </div>
        <LinkState link={link} paused={paused} tally={tally} />
        {rows.length > 0
          ? <ol class="live" aria-label="What happened, the newest first">{rows.map((row) => <LiveRow key={row.key} channel={id} row={row} webhooks={webhooks} />)}</ol>
          : (
            <Empty title="Nothing has happened yet" icon="live">
              Events and attempts are shown here as they happen. Send a test event from a webhook's page to see one.
            </Empty>
          )}
        {rows.length === MOST_ROWS && <div class="table-foot muted">The newest {MOST_ROWS} are shown. Calls and events have the rest.</div>}
      </Card>
    </Page>
  );
}

// ---- how the connection is ----

function LinkState({ link, paused, tally }: { link: Link; paused: boolean; tally: Tally }) {
  if (!paused && link.state === 'refused') return <ErrorBox error={link.error} />;
  const text = `${count(tally.events)} events, ${count(tally.attempts)} attempts, ${count(tally.failed)} of them failed`;
  return (
    <div class="live-state">
      {paused && <StateBadge state="paused" />}
      {!paused && link.state === 'open' && <Badge tone="good" icon="live">Live</Badge>}
      {!paused && link.state === 'connecting' && <Badge tone="info" icon="clock">Connecting</Badge>}
      {!paused && link.state === 'lost' && <Badge tone="warn" icon="warning">Reconnecting</Badge>}
      <span class="muted">{text}</span>
      {!paused && link.state === 'lost' && (
        <span class="muted"><Text>{link.why}</Text> It is made again at {exactTime(new Date(link.againAt).toISOString())}; nothing is missed.</span>
      )}
      {paused && <span class="muted">What happens now is shown when you go on.</span>}
      <Told text={paused ? 'Paused' : text} />
    </div>
  );
}

// For screen readers: the newest text, but not each of them.
function Told({ text }: { text: string }) {
  const [told, setTold] = useState('');
  const latest = useRef(text);
  latest.current = text;
  useEffect(() => {
    const timer = setInterval(() => setTold(latest.current), TELL_MS);
    return () => clearInterval(timer);
  }, []);
  return <span class="hidden" role="status">{told}</span>;
}

// ---- rows ----

const clock = (iso: string) => new Date(iso).toLocaleTimeString('en-GB', { hour12: false });

function LiveRow({ channel, row, webhooks }: { channel: string; row: Row; webhooks: Webhooks }) {
  const { event, attempts, at, gap } = row;
  if (gap) {
    return (
      <li><Note tone="warn">What happened from {exactTime(gap.from)} to {exactTime(gap.to)} is not kept any more.</Note></li>
    );
  }
  const shown = event ?? { _id: attempts[0]!.event, type: attempts[0]!.type, subscription: attempts[0]!.subscription };
  return (
    <li class="live-row">
      <div class="row">
        <time dateTime={at} title={exactTime(at)} class="muted mono">{clock(at)}</time>
        <strong>{shown.type}</strong>
        <a href={href('c', channel, 'events', shown._id)}><Id>{shown._id}</Id></a>
        <span class="muted">of <Text mono lines={1}>{shown.subscription}</Text></span>
        {!event && <span class="muted">(from before)</span>}
      </div>
      {attempts.length > 0 && (
        <ul>
          {attempts.map((attempt) => (
            <li key={`${attempt.call} ${attempt.n}`} class="row">
              <StateBadge state={attempt.state === 'waiting' ? attempt.verdict : attempt.state} />
              <a href={href('c', channel, 'calls', attempt.call)}>attempt {attempt.n}</a>
              <span class="muted">to <Text lines={1}>{webhooks.urlOf(attempt.webhook)}</Text></span>
              {!succeeded(attempt) && (
                <Text lines={1}>{attempt.reason ?? `status ${attempt.status}`}</Text>
              )}
              <span class="muted">{duration(attempt.durationMs)}</span>
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}
