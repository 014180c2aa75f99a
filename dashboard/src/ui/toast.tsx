// Short news of what was done, also for screen readers.
import { store, useStore } from '../lib/store';
import { Icon } from './icons';

interface Toast {
  id: number;
  bad: boolean;
  text: string;
}

const toasts = store<Toast[]>([]);
const SHOWN_MS = 6000;
const MOST = 4;
let last = 0;

function show(text: string, bad: boolean) {
  const id = ++last;
  toasts.set([...toasts.get().slice(1 - MOST), { id, bad, text }]);
  setTimeout(() => drop(id), bad ? 2 * SHOWN_MS : SHOWN_MS);
}

const drop = (id: number) => toasts.set(toasts.get().filter((each) => each.id !== id));

export const toast = {
  ok: (text: string) => show(text, false),
  fail: (text: string) => show(text, true),
};

export function Toasts() {
  const all = useStore(toasts);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {all.map(({ id, bad, text }) => (
        <div class={`toast ${bad ? 'bad' : 'good'}`} key={id}>
          <Icon name={bad ? 'warning' : 'check'} />
          <bdi class="text">{text}</bdi>
          <button type="button" class="button quiet small" aria-label="Dismiss" onClick={() => drop(id)}>
            <Icon name="cross" size={14} />
          </button>
        </div>
      ))}
    </div>
  );
}
