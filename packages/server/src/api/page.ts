import { FluxError } from '@flux/contract/errors';
import type { PageQuery } from '@flux/contract/page';

/** How many rows a page has where the request does not say. */
const DEFAULT_LIMIT = 50;

/** A page that a request asks for, with what its cursor stands for. */
export interface Page<Cursor> {
  readonly limit: number;
  readonly after: Cursor | undefined;
}

/**
 * Reads which page is asked for.
 *
 * @param parse gives undefined for a text that no list has given as a cursor
 * @throws FluxError `invalid_request`
 */
export function readPage<Cursor>({ limit, cursor }: PageQuery, parse: (cursor: string) => Cursor | undefined): Page<Cursor> {
  const after = cursor === undefined ? undefined : parse(cursor);
  if (cursor !== undefined && after === undefined)
    throw new FluxError('invalid_request', 'The cursor is not one that a list gave.', {
      hint: 'Take `nextCursor` of the page before, or leave it out.',
    });
  return { limit: limit ?? DEFAULT_LIMIT, after };
}

/** Cuts off the row that was read beyond a page, which only tells whether there is another one. */
export function cutPage<Row>(
  rows: readonly Row[],
  { limit }: Page<unknown>,
  cursorOf: (last: Row) => string,
): { readonly rows: readonly Row[]; readonly nextCursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { rows: shown, nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : null };
}
