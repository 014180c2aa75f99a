// The small pieces: buttons, links, badges, times, copying.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { exactTime, printable, relative } from '../lib/format';
import { store, useStore } from '../lib/store';
import { Icon, type IconName } from './icons';
import { toast } from './toast';

type Kind = 'primary' | 'plain' | 'quiet' | 'danger';

export interface ButtonProps {
  kind?: Kind;
  icon?: IconName;
  busy?: boolean;
  reason?: string | null | false; // why it cannot be used now: shown, and it does nothing
  small?: boolean;
  label?: string; // for screen readers, where the text alone does not say what it acts on
  type?: 'button' | 'submit';
  onClick?: () => void;
  children?: ComponentChildren;
  expanded?: boolean;
}

// A button that cannot be used stays in the tab order, so that everybody learns why.
export function Button({ kind = 'plain', icon, busy, reason, small, label, type = 'button', onClick, children, expanded }: ButtonProps) {
  const off = busy || !!reason;
  const click = (event: Event) => {
    if (off) event.preventDefault();
    else onClick?.();
  };
  return (
    <button type={type} class={`button ${kind}${small ? ' small' : ''}`} aria-disabled={off ? 'true' : undefined}
      aria-busy={busy ? 'true' : undefined} aria-label={label} aria-expanded={expanded}
      title={reason || undefined} onClick={click}>
      {busy ? <span class="spinner" aria-hidden="true" /> : icon && <Icon name={icon} size={16} />}
      {children && <span>{children}</span>}
      {reason && <span class="hidden"> ({reason})</span>}
    </button>
  );
}

export function LinkButton({ to, kind = 'plain', icon, small, children }: {
  to: string; kind?: Kind; icon?: IconName; small?: boolean; children: ComponentChildren;
}) {
  return (
    <a class={`button ${kind}${small ? ' small' : ''}`} href={to}>
      {icon && <Icon name={icon} size={16} />}
      <span>{children}</span>
    </a>
  );
}

// Text that somebody else chose: its direction stays its own, control characters are shown.
export function Text({ children, lines, mono }: { children: string | null | undefined; lines?: number; mono?: boolean }) {
  if (children === null || children === undefined || children === '') return null;
  const text = printable(children);
  return (
    <bdi class={`text${mono ? ' mono' : ''}${lines ? ' clamp' : ''}`} title={lines ? text.slice(0, 1000) : undefined}
      style={lines ? { '--lines': String(lines) } : undefined}>
      {text}
    </bdi>
  );
}

export const Id = ({ children }: { children: string }) => <Text mono>{children}</Text>;

// ---- states ----

export type Tone = 'good' | 'bad' | 'warn' | 'info' | 'calm';

export function Badge({ tone, icon, children }: { tone: Tone; icon?: IconName; children: ComponentChildren }) {
  return (
    <span class={`badge ${tone}`}>
      {icon && <Icon name={icon} size={14} />}
      {children}
    </span>
  );
}

// One look for each state of a call, an attempt or a job, wherever it stands.
const STATES: Record<string, [Tone, IconName, string]> = {
  succeeded: ['good', 'check', 'Succeeded'],
  success: ['good', 'check', 'Succeeded'],
  ok: ['good', 'check', 'Succeeded'],
  done: ['good', 'check', 'Done'],
  failed: ['bad', 'cross', 'Failed'],
  temporary: ['warn', 'retry', 'Failed for now'],
  gone: ['bad', 'stop', 'Gone'],
  waiting: ['info', 'clock', 'Waiting'],
  inFlight: ['info', 'send', 'Being sent'],
  running: ['info', 'jobs', 'Running'],
  held: ['warn', 'pause', 'Held'],
  paused: ['warn', 'pause', 'Paused'],
  cancelled: ['calm', 'stop', 'Cancelled'],
  enabled: ['good', 'check', 'Enabled'],
  disabled: ['calm', 'pause', 'Disabled'],
  failing: ['bad', 'warning', 'Failing'],
};

export function StateBadge({ state }: { state: string }) {
  const [tone, icon, text] = STATES[state] ?? ['calm', 'info', state];
  return <Badge tone={tone} icon={icon}>{text}</Badge>;
}

// ---- times ----

const now = store(Date.now());
setInterval(() => now.set(Date.now()), 15_000);

export function Time({ at, none = 'never' }: { at: string | null | undefined; none?: string }) {
  useStore(now); // shown anew as time goes; what has just happened is younger than its last tick
  if (!at) return <span class="muted">{none}</span>;
  return <time dateTime={at} title={`${exactTime(at)} (${at})`}>{relative(at, Date.now())}</time>;
}

// ---- copying ----

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Only pages of https or of this machine have a clipboard: the old way.
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'off-screen';
    const host = document.querySelector('dialog[open]') ?? document.body;
    host.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}

export function CopyButton({ text, label = 'Copy', what }: { text: string; label?: string; what: string }) {
  const [done, setDone] = useState(false);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const click = async () => {
    if (!(await copy(text))) {
      toast.fail('The browser does not let this page copy: mark the text and copy it by hand.');
      return;
    }
    setDone(true);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setDone(false), 2000);
  };
  return (
    <>
      <Button small icon={done ? 'check' : 'copy'} label={`${label} ${what}`} onClick={() => void click()}>{done ? 'Copied' : label}</Button>
      <span class="hidden" role="status">{done && `Copied ${what}.`}</span>
    </>
  );
}

// What is secret: behind a button, or shown at once where it is shown once.
export function SecretText({ text, what, shown = false }: { text: string; what: string; shown?: boolean }) {
  const [visible, setVisible] = useState(shown);
  return (
    <div class="secret">
      <code class="text mono" aria-label={what}>{visible ? text : '•'.repeat(24)}</code>
      <span class="row tight">
        {!shown && <Button small icon="eye" onClick={() => setVisible(!visible)}>{visible ? 'Hide' : 'Show'}</Button>}
        <CopyButton text={text} what={what} />
      </span>
    </div>
  );
}
