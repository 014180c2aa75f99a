// Addresses behind the #: the server knows only /.
import { store, useStore } from './store';

export interface Place {
  path: string; // "/c/shop/webhooks"
  query: URLSearchParams;
}

function read(): Place {
  const text = location.hash.replace(/^#/, '') || '/';
  const [path, query] = text.split(/\?(.*)/s);
  return { path: path!.startsWith('/') ? path! : '/', query: new URLSearchParams(query ?? '') };
}

const place = store<Place>(read());
addEventListener('hashchange', () => place.set(read()));

export const usePlace = () => useStore(place);
export const currentPlace = () => place.get();

// An address from its segments, each escaped: href('c', channel, 'webhooks').
export const href = (...segments: string[]) => `#/${segments.map(encodeURIComponent).join('/')}`;

export function hrefWith(segments: string[], query: Record<string, string | null | undefined>): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) given.set(name, value);
  const text = given.toString();
  return href(...segments) + (text ? `?${text}` : '');
}

export function go(to: string, { replace = false } = {}) {
  if (replace) {
    history.replaceState(null, '', to);
    place.set(read());
  } else {
    location.hash = to;
  }
}

// Puts filters into the address, so that a reload or a link shows the same.
export function setQuery(query: Record<string, string | null | undefined>) {
  const given = new URLSearchParams(place.get().query);
  for (const [name, value] of Object.entries(query)) {
    if (value) given.set(name, value);
    else given.delete(name);
  }
  const text = given.toString();
  go(`#${place.get().path}${text ? `?${text}` : ''}`, { replace: true });
}

export type Params = Record<string, string>;

// "/c/:c/webhooks/:w" against a path; null when it is another.
export function match(pattern: string, path: string): Params | null {
  const wanted = pattern.split('/');
  const given = path.replace(/\/$/, '').split('/');
  if (path === '/') given.push('');
  if (wanted.length !== given.length) return null;
  const params: Params = {};
  for (const [i, want] of wanted.entries()) {
    const have = given[i]!;
    if (want.startsWith(':')) {
      try {
        params[want.slice(1)] = decodeURIComponent(have);
      } catch {
        return null;
      }
      if (!have) return null;
    } else if (want !== have) {
      return null;
    }
  }
  return params;
}
