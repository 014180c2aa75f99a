// Blocks of text that somebody else wrote: bodies of events, answers of receivers.
import { useState } from 'preact/hooks';
import { plain } from '../lib/format';
import { indented } from '../lib/json';
import { CopyButton } from './basics';
import { Choose } from './form';

// Scrolls inside itself, with the keyboard too, and turns, runs and hides nothing.
export function Code({ children, label }: { children: string; label: string }) {
  return <pre class="code" dir="ltr" tabIndex={0} role="region" aria-label={label}>{plain(children)}</pre>;
}

const VIEWS = [['pretty', 'Readable'], ['raw', 'As it was sent']] as const;

// JSON on lines of its own or to the byte; what is copied is always the latter.
export function JsonView({ text, what }: { text: string; what: string }) {
  const [view, setView] = useState<'pretty' | 'raw'>('pretty');
  return (
    <div class="stack">
      <div class="row spread">
        <Choose label="How it is shown" value={view} choices={VIEWS} onChange={setView} />
        <CopyButton text={text} what={what} />
      </div>
      <Code label={what}>{view === 'pretty' ? indented(text) : text}</Code>
    </div>
  );
}
