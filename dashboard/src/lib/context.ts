// What all pages below the frame may ask for.
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Loaded } from './hooks';
import { mayAdmin, mayManage } from './session';
import type { Channel, Me } from './types';

export const MeContext = createContext<Me | null>(null);
export const ChannelContext = createContext<Loaded<Channel | null> | null>(null);

export function useMe(): Me {
  const me = useContext(MeContext);
  if (!me) throw new Error('no one is signed in');
  return me;
}

// Why this key may not change things of a channel, of the server; null = it may. For `reason` of
// buttons: what the API would refuse is never offered.
export const useManageReason = () => (mayManage(useMe()) ? null : 'this key may only read');
export const useAdminReason = () => (mayAdmin(useMe()) ? null : 'this needs an admin key');

// The channel of the address, as far as it is loaded.
export const useChannel = () => useContext(ChannelContext)!;
