// Dialogs: the browser's own, so that focus stays inside and Escape closes.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { useAction } from '../lib/hooks';
import { Button, Text } from './basics';
import { Form, TextField } from './form';
import { Icon } from './icons';

export function Dialog({ title, onClose, children, wide }: {
  title: string; onClose: () => void; children: ComponentChildren; wide?: boolean;
}) {
  const at = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = at.current!;
    const before = document.activeElement;
    dialog.showModal();
    dialog.querySelector<HTMLElement>('[data-focus], form input:not([type=hidden]), form select, form textarea')?.focus();
    return () => {
      dialog.close();
      // Where it was opened from, unless that is gone.
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog ref={at} class={wide ? 'wide' : undefined} aria-labelledby={id} onCancel={(event) => {
      event.preventDefault();
      onClose();
    }}>
      <header class="dialog-head">
        <h2 id={id}>{title}</h2>
        <button type="button" class="button quiet small" aria-label="Close" onClick={onClose}><Icon name="cross" size={16} /></button>
      </header>
      <div class="dialog-body">{children}</div>
    </dialog>
  );
}

// Asks before something is done. With `word`, it must be typed first: for what cannot be undone.
export function Confirm({ title, action, danger, word, children, onConfirm, onClose }: {
  title: string; action: string; danger?: boolean; word?: string; children: ComponentChildren;
  onConfirm: () => Promise<void>; onClose: () => void;
}) {
  const [typed, setTyped] = useState('');
  const { run, busy, error } = useAction(async () => {
    await onConfirm();
    onClose();
  });
  const missing = word !== undefined && typed.trim() !== word;
  return (
    <Dialog title={title} onClose={onClose}>
      <Form onSubmit={() => !missing && void run()} error={error} footer={(
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind={danger ? 'danger' : 'primary'} busy={busy}
            reason={missing && `type ${word} first`}>{action}</Button>
        </>
      )}>
        <div class="stack">{children}</div>
        {word !== undefined && (
          <>
            <p id="confirm-word">To go on, type <strong><Text mono>{word}</Text></strong></p>
            <TextField label="Confirmation" value={typed} onInput={setTyped} mono />
          </>
        )}
      </Form>
    </Dialog>
  );
}
