// A job as it goes on: looked at while it runs, counted before it starts.
import { useEffect, useRef, useState } from 'preact/hooks';
import { api, inChannel } from '../lib/api';
import { count, percent, span } from '../lib/format';
import { type Job, hasEnded } from '../lib/history';
import { useAction, useLoad } from '../lib/hooks';
import { Button } from '../ui/basics';
import { ErrorBox, Skeleton } from '../ui/page';

const RUNNING_MS = 1000;
const PAUSED_MS = 5000;

// A job from its start to its end; `first` is what is known of it already.
export function useJob(channel: string, id: string, first: Job | null = null) {
  const path = inChannel(channel, 'jobs', id);
  const over = first !== null && hasEnded(first);
  const [every, setEvery] = useState(RUNNING_MS);
  const loaded = useLoad((signal) => (over ? Promise.resolve(first) : api.get<Job>(path, undefined, signal)), [path], every);
  const job = loaded.data ?? first;
  useEffect(() => {
    if (job) setEvery(hasEnded(job) ? 0 : job.state === 'paused' ? PAUSED_MS : RUNNING_MS);
  }, [job?.state]);
  return { ...loaded, data: job };
}

// ---- progress ----

const WINDOW_MS = 15_000;

interface Sample {
  at: number;
  calls: number;
  progress: number;
}

// Over the last few looks: an average from the start would count its pauses too.
function useRate(job: Job): { perSecond: number | null; leftMs: number | null } {
  const samples = useRef<Sample[]>([]);
  const calls = job.done + job.skipped;
  useEffect(() => {
    const now = Date.now();
    if (job.state !== 'running') samples.current = [];
    samples.current = [...samples.current.filter(({ at }) => now - at < WINDOW_MS), { at: now, calls, progress: job.progress }];
  }, [job]);
  const first = samples.current[0];
  const ms = first ? Date.now() - first.at : 0;
  if (!first || ms < RUNNING_MS / 2 || job.state !== 'running') return { perSecond: null, leftMs: null };
  const gone = job.progress - first.progress;
  return { perSecond: ((calls - first.calls) * 1000) / ms, leftMs: gone > 0 ? ((1 - job.progress) / gone) * ms : null };
}

export const NAMES: Record<Job['kind'], [noun: string, done: string]> = {
  replay: ['Replay', 'put in order'],
  retry: ['Retry', 'put in order'],
  cancel: ['Cancel', 'cancelled'],
};

export const titleOf = ({ kind, dryRun }: Job) => (dryRun ? `${NAMES[kind][0]}: count` : NAMES[kind][0]);

export function Progress({ job, brief }: { job: Job; brief?: boolean }) {
  const { perSecond, leftMs } = useRate(job);
  const value = job.state === 'done' ? 1 : job.progress;
  return (
    <div class="progress">
      <progress value={value} max={1} aria-label={`Progress of ${job._id}`} />
      <span class="muted" role={brief ? undefined : 'status'}>
        {percent(Math.round(value * 1000) / 1000)} · {job.dryRun ? `${count(job.matched)} match` : `${count(job.done)} ${NAMES[job.kind][1]}`}
        {!brief && job.skipped > 0 && `, ${count(job.skipped)} skipped`}
        {!brief && perSecond !== null && !job.dryRun && ` · ${count(Math.round(perSecond))} a second`}
        {!brief && leftMs !== null && ` · about ${span(Math.max(leftMs, 1000))} left`}
      </span>
    </div>
  );
}

// ---- pause, resume, cancel ----

export function JobButtons({ channel, job, onChange }: { channel: string; job: Job; onChange: (job: Job) => void }) {
  const { run, busy, error } = useAction(async (what: string) => {
    onChange(await api.post<Job>(inChannel(channel, 'jobs', job._id, what)));
  });
  if (hasEnded(job)) return null;
  return (
    <>
      <div class="row">
        {job.state === 'paused'
          ? <Button kind="primary" icon="retry" busy={busy} onClick={() => void run('resume')}>Resume</Button>
          : <Button icon="pause" busy={busy} onClick={() => void run('pause')}>Pause</Button>}
        <Button kind="danger" icon="stop" busy={busy} onClick={() => void run('cancel')}>Cancel the job</Button>
      </div>
      <ErrorBox error={error} />
    </>
  );
}

// ---- counted first ----

// Starts a dry run and looks until it has counted all; leaving before that cancels it.
export function DryRun({ channel, path, body, onCounted }: {
  channel: string; path: string; body: object; onCounted: (job: Job) => void;
}) {
  const [job, setJob] = useState<Job | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    let left = false;
    let made: Job | null = null;
    const cancel = () => made && !hasEnded(made) && api.post(inChannel(channel, 'jobs', made._id, 'cancel')).catch(() => undefined);
    api.post<Job>(path, { ...body, dryRun: true }).then((answer) => {
      made = answer;
      if (left) void cancel();
      else setJob(answer);
    }, (problem) => !left && setError(problem));
    return () => {
      left = true;
      void cancel();
    };
  }, []);
  if (error) return <ErrorBox error={error} />;
  return job ? <Counting channel={channel} first={job} onCounted={onCounted} /> : <Skeleton rows={1} what="Counting" />;
}

function Counting({ channel, first, onCounted }: { channel: string; first: Job; onCounted: (job: Job) => void }) {
  const job = useJob(channel, first._id, first);
  const over = hasEnded(job.data!);
  useEffect(() => {
    if (over) onCounted(job.data!);
  }, [over]);
  return (
    <>
      {!over && <Progress job={job.data!} />}
      <ErrorBox error={job.error} retry={job.reload} />
    </>
  );
}
