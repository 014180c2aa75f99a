// What a search has found so far, how far back it has looked, and more of it.
import type { ComponentChildren } from 'preact';
import { count, exactTime } from '../lib/format';
import type { Search } from '../lib/search';
import { Button } from './basics';
import { ErrorBox, Skeleton } from './page';
import { Table, type TableProps } from './table';

export function SearchTable<T>({ search, empty, ...table }: Omit<TableProps<T>, 'rows'> & {
  search: Search<T>;
  empty: ComponentChildren; // nothing at all was found
}) {
  const { rows, done, error, searching } = search;
  return (
    <>
      {rows.length > 0 && <Table {...table} rows={rows} />}
      {rows.length === 0 && done && !error && empty}
      <ErrorBox error={error} retry={rows.length > 0 ? search.more : search.reload} />
      {rows.length === 0 && searching && <Skeleton rows={4} what="Searching" />}
      {!error && (rows.length > 0 || !done) && <Foot search={search} />}
    </>
  );
}

function Foot<T>({ search: { rows, done, searching, searchedTo, more, stop } }: { search: Search<T> }) {
  const back = searchedTo ? `searched back to ${exactTime(searchedTo)}` : 'searching';
  return (
    <div class="table-foot">
      <span class="muted" role="status">
        {count(rows.length)} {rows.length === 1 ? 'is' : 'are'} shown{done ? ', that is all' : `, ${back}`}{searching && ' …'}
      </span>
      {searching
        ? <Button small icon="stop" onClick={stop}>Stop</Button>
        : !done && <Button small onClick={more}>{rows.length > 0 ? 'Load more' : 'Search on'}</Button>}
    </div>
  );
}
