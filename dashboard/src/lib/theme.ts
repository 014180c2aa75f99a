// Light, dark, or what the system says. The page has the answer in data-theme.
import { store } from './store';

const NAME = 'pushwire.theme';
export type Theme = 'system' | 'light' | 'dark';

function stored(): Theme {
  try {
    const text = localStorage.getItem(NAME);
    return text === 'light' || text === 'dark' ? text : 'system';
  } catch {
    return 'system'; // storage is shut off
  }
}

export const theme = store<Theme>(stored());
const system = matchMedia('(prefers-color-scheme: dark)');
const watchers = new Set<() => void>();

function apply() {
  const given = theme.get();
  document.documentElement.dataset.theme = given !== 'system' ? given : system.matches ? 'dark' : 'light';
  for (const watcher of watchers) watcher();
}
apply();
system.addEventListener('change', apply);

export function setTheme(next: Theme) {
  theme.set(next);
  apply();
  try {
    localStorage.setItem(NAME, next);
  } catch {
    // until the tab is closed, then
  }
}

// Calls when colours changed: charts are drawn, not styled.
export function onColours(changed: () => void): () => void {
  watchers.add(changed);
  return () => watchers.delete(changed);
}
