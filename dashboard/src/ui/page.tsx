// The frame of a page, and what stands in it while there is nothing, nothing yet, or no way.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { messageOf } from '../lib/api';
import { printable } from '../lib/format';
import { Button, Text } from './basics';
import { Icon, type IconName } from './icons';

export interface Crumb {
  to: string;
  text: string;
}

let first = true; // the page that the browser opened: focus is where it is

// `title` also names the browser's tab; after a change of pages the focus is on it.
export function Page({ title, crumbs = [], actions, lead, children }: {
  title: string; crumbs?: Crumb[]; actions?: ComponentChildren; lead?: ComponentChildren; children: ComponentChildren;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!first && !document.querySelector('dialog[open]')) heading.current?.focus({ preventScroll: true });
    if (!first) scrollTo(0, 0);
    first = false;
  }, []);
  useEffect(() => {
    document.title = `${printable(title).slice(0, 80)} · Pushwire`;
  }, [title]);
  return (
    <div class="page">
      {crumbs.length > 0 && (
        <nav class="crumbs" aria-label="Where this page is">
          {crumbs.map(({ to, text }) => (
            <span key={to}><a href={to}><Text>{text}</Text></a><Icon name="next" size={12} /></span>
          ))}
        </nav>
      )}
      <header class="page-head">
        <h1 ref={heading} tabIndex={-1}><Text lines={4}>{title}</Text></h1>
        {actions && <div class="row actions">{actions}</div>}
      </header>
      {lead && <div class="lead">{lead}</div>}
      {children}
    </div>
  );
}

export function Card({ title, actions, children, flush }: {
  title?: ComponentChildren; actions?: ComponentChildren; children: ComponentChildren; flush?: boolean;
}) {
  return (
    <section class={`card${flush ? ' flush' : ''}`}>
      {(title || actions) && (
        <header class="card-head">
          {title && <h2>{title}</h2>}
          {actions && <div class="row actions">{actions}</div>}
        </header>
      )}
      <div class="card-body">{children}</div>
    </section>
  );
}

// Nothing is there: why, and what to do next.
export function Empty({ title, icon = 'info', children, action }: {
  title: string; icon?: IconName; children?: ComponentChildren; action?: ComponentChildren;
}) {
  return (
    <div class="empty">
      <Icon name={icon} size={28} />
      <p class="empty-title">{title}</p>
      {children && <div class="muted">{children}</div>}
      {action && <div class="row">{action}</div>}
    </div>
  );
}

export function ErrorBox({ error, retry, title }: { error: unknown; retry?: () => void; title?: string }) {
  if (!error) return null;
  return (
    <div class="note bad" role="alert">
      <Icon name="warning" />
      <div>
        {title && <strong>{title} </strong>}
        <Text>{messageOf(error)}</Text>
      </div>
      {retry && <Button small icon="retry" onClick={retry}>Try again</Button>}
    </div>
  );
}

export function Note({ tone = 'info', icon, children, action }: {
  tone?: 'info' | 'warn' | 'good' | 'bad'; icon?: IconName; children: ComponentChildren; action?: ComponentChildren;
}) {
  return (
    <div class={`note ${tone}`}>
      <Icon name={icon ?? (tone === 'good' ? 'check' : tone === 'warn' || tone === 'bad' ? 'warning' : 'info')} />
      <div>{children}</div>
      {action}
    </div>
  );
}

export function Skeleton({ rows = 3, what = 'Loading' }: { rows?: number; what?: string }) {
  return (
    <div class="skeleton" role="status">
      <span class="hidden">{what} …</span>
      {Array.from({ length: rows }, (_, i) => <span class="bone" key={i} aria-hidden="true" />)}
    </div>
  );
}

// What was loaded, or the state of its loading.
export function Load<T>({ from, rows, children }: {
  from: { data: T | null; error: unknown; loading: boolean; reload: () => void };
  rows?: number; children: (data: T) => ComponentChildren;
}) {
  return (
    <>
      <ErrorBox error={from.error} retry={from.reload} />
      {from.data !== null ? children(from.data) : from.loading && <Skeleton rows={rows} />}
    </>
  );
}

// Names and values, side by side or, on phones, one below the other.
export function Facts({ children }: { children: ComponentChildren }) {
  return <dl class="facts">{children}</dl>;
}

export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return <div><dt>{name}</dt><dd>{children}</dd></div>;
}

// A large number with its name.
export function Tile({ name, value, note, tone }: {
  name: string; value: ComponentChildren; note?: ComponentChildren; tone?: 'bad' | 'warn';
}) {
  return (
    <div class={`tile${tone ? ` ${tone}` : ''}`}>
      <span class="tile-name">{name}</span>
      <span class="tile-value">{value}</span>
      {note && <span class="tile-note">{note}</span>}
    </div>
  );
}
