// Who is signed in. The key is in memory and, so that a reload keeps it, in this tab's session
// storage: nowhere else, and never in an address.
import { store } from './store';
import type { Me } from './types';

const NAME = 'pushwire.key';

function stored(): string | null {
  try {
    return sessionStorage.getItem(NAME);
  } catch {
    return null; // storage may be shut off: the key is then in memory alone
  }
}

let key = stored();

export interface Session {
  me: Me | null;
  ended: string | null; // why somebody who was signed in no longer is
}

export const session = store<Session>({ me: null, ended: null });

export const currentKey = () => key;

export function keepKey(text: string | null) {
  key = text;
  try {
    if (text) sessionStorage.setItem(NAME, text);
    else sessionStorage.removeItem(NAME);
  } catch {
    // in memory alone
  }
}

export function signOut(ended: string | null = null) {
  keepKey(null);
  session.set({ me: null, ended });
}

// What this key may: the API decides, pages only leave out what it would refuse.
export const mayManage = (me: Me) => me.role === 'admin' || me.role === 'manage';
export const mayAdmin = (me: Me) => me.role === 'admin';
export const ofServer = (me: Me) => me.channel === null;
