// A search of the history, page by page. A page may be short, or empty, and still not be the end:
// the search then goes on by itself, says how far back it has looked, and can be stopped.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { type Query, api, isAbort } from './api';

const WANTED = 50; // rows more, each time

export interface Search<T> {
  rows: T[];
  done: boolean;
  searchedTo: string | null;
  error: unknown;
  searching: boolean;
  stopped: boolean; // by hand
  more: () => void;
  stop: () => void;
  reload: () => void;
  change: (rows: (old: T[]) => T[]) => void;
}

interface State<T> {
  rows: T[];
  cursor: string | null;
  done: boolean;
  searchedTo: string | null;
  error: unknown;
  searching: boolean;
  stopped: boolean;
}

const START = { rows: [], cursor: null, done: false, searchedTo: null, error: null, searching: true, stopped: false };

// `queryOf` is asked when a search begins: ranges that end now mean that moment.
export function useSearch<T>(path: string, name: string, queryOf: () => Query): Search<T> {
  const [state, setState] = useState<State<T>>(START);
  const [round, setRound] = useState(0);
  const running = useRef<AbortController | null>(null);
  const query = useRef<Query>({});

  const look = useCallback(async (from: string | null) => {
    running.current?.abort();
    const stop = new AbortController();
    running.current = stop;
    setState((old) => ({ ...old, error: null, searching: true, stopped: false }));
    let cursor = from;
    let found = 0;
    try {
      do {
        const page = await api.page<T>(path, { limit: WANTED, ...query.current }, cursor, stop.signal);
        if (stop.signal.aborted) return;
        found += page.data.length;
        cursor = page.nextCursor;
        const searching = cursor !== null && found < WANTED;
        setState((old) => ({
          ...old,
          rows: page.data.length > 0 ? [...old.rows, ...page.data] : old.rows,
          cursor,
          done: cursor === null,
          searchedTo: page.searchedTo ?? null,
          searching,
        }));
      } while (cursor !== null && found < WANTED);
    } catch (error) {
      if (!isAbort(error) && !stop.signal.aborted) setState((old) => ({ ...old, error, searching: false }));
    }
  }, [path, name]);

  useEffect(() => {
    query.current = queryOf();
    setState(START);
    void look(null);
    return () => running.current?.abort();
  }, [path, name, round]);

  return {
    ...state,
    more: () => !state.searching && !state.done && void look(state.cursor),
    stop: useCallback(() => {
      running.current?.abort();
      setState((old) => ({ ...old, searching: false, stopped: true }));
    }, []),
    reload: useCallback(() => setRound((n) => n + 1), []),
    change: (rows) => setState((old) => ({ ...old, rows: rows(old.rows) })),
  };
}
