// Many calls at once: those that are selected, or all that match the filters.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { Problem, type Query, api, inChannel } from '../lib/api';
import { count } from '../lib/format';
import { type Job, hasEnded, jobFilter } from '../lib/history';
import { useAction } from '../lib/hooks';
import { go, href } from '../lib/router';
import { Button, Text } from '../ui/basics';
import { Dialog } from '../ui/dialog';
import { Form, TextField, errorAt } from '../ui/form';
import { ErrorBox, Note } from '../ui/page';
import { toast } from '../ui/toast';
import { DryRun } from './job-parts';

export type BulkKind = 'retry' | 'cancel';

const WORDS = { retry: ['Retry', 'retried'], cancel: ['Cancel', 'cancelled'] } as const;
export const calls = (n: number) => `${count(n)} ${n === 1 ? 'call' : 'calls'}`;

export const PACE = 250; // calls a second, as the API has it when nobody says

// "250", or a number that the API is asked about.
export const paceOf = (text: string) => (text.trim() === '' ? undefined : Number(text));

// Soon after a webhook was mended most of what it missed still waits for its next attempt.
const DEFAULT_STATES = { retry: ['failed', 'waiting'], cancel: ['waiting', 'held'] };

// What the list shows but the action is not for, is left out: nobody retries what succeeded by accident.
function bodyOf(kind: BulkKind, query: Query): Record<string, unknown> {
  const body = jobFilter(query);
  return { ...body, states: body.states ?? DEFAULT_STATES[kind] };
}

export function BulkDialog({ channel, kind, query, onClose }: { channel: string; kind: BulkKind; query: Query; onClose: () => void }) {
  const [body] = useState(() => bodyOf(kind, query));
  const [counted, setCounted] = useState<Job | null>(null);
  const [pace, setPace] = useState(String(PACE));
  const [verb, done] = WORDS[kind];
  const path = inChannel(channel, 'calls', kind);
  const { run, busy, error } = useAction(async () => {
    const job = await api.post<Job>(path, { ...body, pace: paceOf(pace) });
    go(href('c', channel, 'jobs', job._id));
  });
  const none = counted !== null && counted.matched === 0;
  return (
    <Dialog title={`${verb} all that match?`} onClose={onClose}>
      <Form onSubmit={() => counted && !none && void run()} error={error} places={['/pace']} footer={(
        <>
          <Button onClick={onClose}>Back</Button>
          <Button type="submit" kind={kind === 'cancel' ? 'danger' : 'primary'} busy={busy}
            reason={!counted ? 'they are being counted' : none && 'nothing matches'}>
            {counted && !none ? `${verb} ${calls(counted.matched)}` : verb}
          </Button>
        </>
      )}>
        <Chosen body={body} />
        {counted === null && <DryRun channel={channel} path={path} body={body} onCounted={setCounted} />}
        {counted && <Counted job={counted} text={`${calls(counted.matched)} ${counted.matched === 1 ? 'matches' : 'match'} and will be ${done}.`} />}
        {counted && !none && kind === 'retry' && (
          <TextField label="Pace" type="number" min={1} max={10_000} value={pace} onInput={setPace} required
            hint="Calls a second at most; live events go first." error={errorAt(error, '/pace')} />
        )}
      </Form>
    </Dialog>
  );
}

export function Counted({ job, text }: { job: Job; text: string }) {
  if (job.state !== 'done') {
    return <Note tone="warn">The count did not come to its end{job.reason && <>: <Text>{job.reason}</Text></>}.</Note>;
  }
  return <div role="status"><Note tone={job.matched > 0 ? 'info' : 'warn'}>{job.matched > 0 ? text : 'Nothing matches.'}</Note></div>;
}

const NAMES: Record<string, string> = {
  states: 'State', types: 'Type', webhook: 'Webhook', subscription: 'Subscription', notification: 'Notification',
  error: 'Last error contains', since: 'From', until: 'To',
};

function Chosen({ body }: { body: Record<string, unknown> }) {
  return (
    <ul class="chosen">
      {Object.entries(body).map(([name, value]) => (
        <li key={name}>{NAMES[name]}: <Text mono>{Array.isArray(value) ? value.join(', ') : String(value)}</Text></li>
      ))}
    </ul>
  );
}

// ---- a few that were selected ----

const MOST_IDS = 1000;
const ASK_MS = 300;

async function ended(channel: string, first: Job): Promise<Job> {
  let job = first;
  while (!hasEnded(job)) {
    await new Promise((resolve) => setTimeout(resolve, ASK_MS));
    job = await api.get<Job>(inChannel(channel, 'jobs', job._id));
  }
  return job;
}

// `children`: what can be done while nothing is selected.
export function SelectionBar({ channel, shown, selected, onSelect, onDone, children }: {
  channel: string; shown: string[]; selected: Set<string>; onSelect: (ids: string[]) => void; onDone: () => void;
  children: ComponentChildren;
}) {
  const chosen = shown.filter((id) => selected.has(id));
  const all = chosen.length === shown.length;
  const { run, busy, error } = useAction(async (kind: BulkKind) => {
    const job = await ended(channel, await api.post<Job>(inChannel(channel, 'calls', kind), { ids: chosen }));
    if (job.state === 'failed') throw new Problem(0, 'Failed', job.reason ?? 'the job failed');
    const left = job.skipped > 0 ? ` ${calls(job.skipped)} could not be, or had ended already.` : '';
    toast.ok(`${calls(job.done)} ${job.done === 1 ? 'is' : 'are'} ${kind === 'retry' ? 'tried again' : 'cancelled'}.${left}`);
    onSelect([]);
    onDone();
  });
  const reason = chosen.length > MOST_IDS && `at most ${count(MOST_IDS)} at a time`;
  return (
    <div class="selection">
      <label class="check">
        <input type="checkbox" checked={all} ref={(box) => void (box && (box.indeterminate = !all && chosen.length > 0))}
          onChange={() => onSelect(all ? [] : shown)} />
        <span>{chosen.length > 0 ? `${calls(chosen.length)} selected` : `Select all ${count(shown.length)} that are shown`}</span>
      </label>
      <div class="row">
        {chosen.length === 0 ? children : (
          <>
            <Button small icon="retry" busy={busy} reason={reason} onClick={() => void run('retry')}>Retry selected</Button>
            <Button small icon="stop" busy={busy} reason={reason} onClick={() => void run('cancel')}>Cancel selected</Button>
          </>
        )}
      </div>
      <ErrorBox error={error} />
    </div>
  );
}
