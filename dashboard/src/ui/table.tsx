// A list of the API as a table; on phones each row is a card.
import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import type { Pages } from '../lib/hooks';
import { exactTime } from '../lib/format';
import { Button } from './basics';
import { ErrorBox, Skeleton } from './page';

export interface Column<T> {
  name: string; // of the header, and of the value on phones
  cell: (row: T) => ComponentChildren;
  number?: boolean; // to the right, figures below each other
  main?: boolean; // takes the room that is left, and heads the card on phones
  hideName?: boolean; // a column of buttons
}

export interface TableProps<T> {
  caption: string; // for screen readers
  columns: Column<T>[];
  rows: T[];
  id: (row: T) => string;
}

export function Table<T>({ caption, columns, rows, id }: TableProps<T>) {
  return (
    <div class="table-box" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ name, number, main, hideName }) => (
              <th key={name} scope="col" class={`${number ? 'number' : ''}${main ? ' main' : ''}`}>
                {hideName ? <span class="hidden">{name}</span> : name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={id(row)}>
              {columns.map(({ name, cell, number, main, hideName }) => (
                <td key={name} data-name={hideName || main ? undefined : name}
                  class={`${number ? 'number' : ''}${main ? ' main' : ''}${hideName ? ' buttons' : ''}`}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

// A table that grows by a page at a time, or by as many as it takes to find something that fits.
export function PagedTable<T>({ pages, fits, empty, none, ...table }: Omit<TableProps<T>, 'rows'> & {
  pages: Pages<T>;
  fits?: (row: T) => boolean; // the filter, if there is one
  empty: ComponentChildren; // the list has nothing
  none?: ComponentChildren; // the filter leaves nothing of what is there so far
}) {
  const rows = fits ? pages.rows.filter(fits) : pages.rows;
  const before = useRef(0);
  const grown = rows.length - before.current;
  if (!pages.loading) before.current = rows.length;
  return (
    <>
      {rows.length > 0 && <Table {...table} rows={rows} />}
      {rows.length === 0 && pages.done && !pages.error && (pages.rows.length > 0 ? none ?? empty : empty)}
      {rows.length === 0 && !pages.done && !pages.loading && !pages.error && (none ?? empty)}
      <ErrorBox error={pages.error} retry={pages.rows.length > 0 ? () => pages.more(fits) : pages.reload} />
      {pages.loading && rows.length === 0 && <Skeleton rows={4} />}
      <p class="hidden" role="status">
        {!pages.loading && !pages.error && `${rows.length} rows are shown${pages.done ? '' : `, ${Math.max(grown, 0)} of them new`}`}
      </p>
      {(rows.length > 0 || !pages.done) && !pages.error && !(pages.loading && rows.length === 0) && (
        <div class="table-foot">
          <span class="muted">
            {fits
              ? `${rows.length} of the ${pages.rows.length} that are loaded`
              : `${pages.rows.length} shown`}
            {pages.done ? ', that is all' : pages.searchedTo ? `, searched back to ${exactTime(pages.searchedTo)}` : ''}
          </span>
          {!pages.done && <Button small busy={pages.loading} onClick={() => pages.more(fits)}>{fits ? 'Search on' : 'Load more'}</Button>}
        </div>
      )}
    </>
  );
}
