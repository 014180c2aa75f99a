// The attempts of a call: when, how long each step took, and what came back.
import { duration, exactTime } from '../lib/format';
import type { LoggedAttempt, Timings } from '../lib/history';
import { Badge, CopyButton, StateBadge, Text, Time } from '../ui/basics';
import { Code } from '../ui/code';

const STEPS = [
  ['dnsMs', 'DNS', 'dns'],
  ['connectMs', 'Connect', 'connect'],
  ['tlsMs', 'TLS', 'tls'],
  ['firstByteMs', 'First byte', 'first-byte'],
] as const;

interface Step {
  name: string;
  colour: string;
  ms: number;
}

// Each step that happened, and what is left of the whole.
function stepsOf(timings: Timings, totalMs: number): Step[] {
  const steps: Step[] = STEPS.map(([key, name, colour]) => ({ name, colour, ms: timings[key] ?? -1 })).filter(({ ms }) => ms >= 0);
  const rest = totalMs - steps.reduce((sum, { ms }) => sum + ms, 0);
  return rest > 0 && steps.length > 0 ? [...steps, { name: 'Rest', colour: 'rest', ms: rest }] : steps;
}

function Steps({ attempt, longestMs }: { attempt: LoggedAttempt; longestMs: number }) {
  const { timings, durationMs } = attempt;
  const steps = timings ? stepsOf(timings, durationMs) : [];
  const share = (ms: number) => `${Math.max((ms / longestMs) * 100, 0.3)}%`;
  return (
    <div class="steps">
      <div class="steps-bar" aria-hidden="true">
        {steps.length > 0
          ? steps.map(({ name, colour, ms }) => <span key={name} class={`step ${colour}`} style={{ width: share(ms) }} />)
          : <span class="step rest" style={{ width: share(durationMs) }} />}
      </div>
      <ul class="steps-text">
        {steps.map(({ name, colour, ms }) => (
          <li key={name}><span class={`swatch ${colour}`} aria-hidden="true" />{name} <strong>{duration(ms)}</strong></li>
        ))}
        <li>Total <strong>{duration(durationMs)}</strong></li>
        {timings?.reused && <li class="muted">over a connection that was kept</li>}
      </ul>
    </div>
  );
}

function Answer({ attempt, open }: { attempt: LoggedAttempt; open: boolean }) {
  const { response, responseTruncated, n, status } = attempt;
  if (status === null) return null;
  if (!response) return <p class="muted">The answer had no body.</p>;
  return (
    <details open={open}>
      <summary>The answer's body{responseTruncated && ', its first 4 KiB'}</summary>
      <div class="stack answer">
        <Code label={`The answer to attempt ${n}`}>{response}</Code>
        <div class="row"><CopyButton text={response} what="the answer" /></div>
      </div>
    </details>
  );
}

function One({ attempt, longestMs, open }: { attempt: LoggedAttempt; longestMs: number; open: boolean }) {
  const { n, at, verdict, status, reason } = attempt;
  return (
    <li class="attempt">
      <div class="row">
        <h3>Attempt {n}</h3>
        <StateBadge state={verdict === 'temporary' ? 'failed' : verdict} />
        {status !== null && <Badge tone={verdict === 'ok' ? 'good' : 'bad'}>Status {status}</Badge>}
        <span class="muted" title={at}><Time at={at} /> · {exactTime(at)}</span>
      </div>
      {reason && reason !== `status ${status}` && <p><Text>{reason}</Text></p>}
      <Steps attempt={attempt} longestMs={longestMs} />
      <Answer attempt={attempt} open={open} />
    </li>
  );
}

// The newest first: it says why the call is where it is.
export function Attempts({ log }: { log: LoggedAttempt[] }) {
  const longestMs = Math.max(...log.map(({ durationMs }) => durationMs), 0.001);
  return (
    <ol class="attempts" reversed>
      {[...log].reverse().map((attempt, i) => (
        <One key={attempt.n} attempt={attempt} longestMs={longestMs} open={i === 0} />
      ))}
    </ol>
  );
}
