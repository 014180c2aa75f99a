// Loading, paging and doing, with the states that every page has to show.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { type Query, api, isAbort } from './api';
import type { List } from './types';

export interface Loaded<T> {
  data: T | null; // also while it is loaded anew
  error: unknown; // of the last try
  loading: boolean;
  reload: () => void;
  set: (data: T) => void;
}

// Loads when what it depends on changes, and every so often while somebody looks.
export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, on: unknown[], everyMs = 0): Loaded<T> {
  const [state, setState] = useState<{ data: T | null; error: unknown; loading: boolean }>({
    data: null, error: null, loading: true,
  });
  const [round, setRound] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  const shown = useRef<unknown[]>(on);

  useEffect(() => {
    const stop = new AbortController();
    const other = shown.current.some((each, i) => each !== on[i]);
    shown.current = on;
    setState((old) => ({ data: other ? null : old.data, error: null, loading: true }));
    latest.current(stop.signal).then(
      (data) => !stop.signal.aborted && setState({ data, error: null, loading: false }),
      (error) => !isAbort(error) && !stop.signal.aborted &&
        setState((old) => ({ data: old.data, error, loading: false })),
    );
    return () => stop.abort();
  }, [...on, round]);

  useEffect(() => {
    if (!everyMs) return;
    const timer = setInterval(() => document.visibilityState === 'visible' && setRound((n) => n + 1), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);

  return {
    ...state,
    reload: useCallback(() => setRound((n) => n + 1), []),
    set: useCallback((data: T) => setState({ data, error: null, loading: false }), []),
  };
}

export interface Pages<T> {
  rows: T[];
  done: boolean; // the last page is there
  searchedTo: string | null;
  error: unknown;
  loading: boolean;
  // The next page, or the same again after an error. With a filter, pages until it leaves a few rows.
  more: (fits?: (row: T) => boolean) => void;
  reload: () => void; // from the first
  change: (rows: (old: T[]) => T[]) => void; // what an action did, without loading anew
}

interface PageState<T> {
  rows: T[];
  cursor: string | null;
  done: boolean;
  searchedTo: string | null;
  error: unknown;
  loading: boolean;
}

const START = { rows: [], cursor: null, done: false, searchedTo: null, error: null, loading: true };

// A list of the API, page by page. Pages that found nothing yet have a next one are gone through,
// up to a few at a time.
export function usePages<T>(path: string, query: Query = {}): Pages<T> {
  const [state, setState] = useState<PageState<T>>(START);
  const [round, setRound] = useState(0);
  const running = useRef<AbortController | null>(null);
  const name = `${path} ${JSON.stringify(query)}`;

  const load = useCallback((cursor: string | null, fits?: (row: T) => boolean) => {
    running.current?.abort();
    const stop = new AbortController();
    running.current = stop;
    setState((old) => ({ ...old, error: null, loading: true }));
    void loadSome<T>(path, query, cursor, stop.signal, fits).then(
      (page) => !stop.signal.aborted && setState((old) => ({
        rows: [...old.rows, ...page.data],
        cursor: page.nextCursor,
        done: page.nextCursor === null,
        searchedTo: page.searchedTo ?? null,
        error: null,
        loading: false,
      })),
      (error) => !isAbort(error) && !stop.signal.aborted &&
        setState((old) => ({ ...old, error, loading: false })),
    );
  }, [name]);

  useEffect(() => {
    setState(START);
    load(null);
    return () => running.current?.abort();
  }, [name, round]);

  return {
    rows: state.rows,
    done: state.done,
    searchedTo: state.searchedTo,
    error: state.error,
    loading: state.loading,
    more: (fits) => !state.loading && !state.done && load(state.cursor, fits),
    reload: useCallback(() => setRound((n) => n + 1), []),
    change: (rows) => setState((old) => ({ ...old, rows: rows(old.rows) })),
  };
}

const EMPTY_PAGES = 5;
const SEARCHED_PAGES = 20;
const ENOUGH = 20;

async function loadSome<T>(
  path: string, query: Query, from: string | null, signal: AbortSignal, fits?: (row: T) => boolean,
): Promise<List<T>> {
  const rows: T[] = [];
  let cursor = from;
  for (let n = 1; ; n++) {
    const page = await api.page<T>(path, query, cursor, signal);
    rows.push(...page.data);
    const enough = fits ? rows.filter(fits).length >= ENOUGH : rows.length > 0;
    if (enough || page.nextCursor === null || n >= (fits ? SEARCHED_PAGES : EMPTY_PAGES)) return { ...page, data: rows };
    cursor = page.nextCursor;
  }
}

// Something that a person sets off: one at a time, and its error until the next try.
export function useAction<A extends unknown[]>(act: (...args: A) => Promise<void>) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const alive = useRef(true);
  useEffect(() => () => void (alive.current = false), []);

  const run = async (...args: A) => {
    if (busy) return;
    setBusy(true);
    setError(null);
    try {
      await act(...args);
    } catch (problem) {
      if (alive.current) setError(problem);
    } finally {
      if (alive.current) setBusy(false);
    }
  };
  return { run, busy, error, clear: () => setError(null) };
}
