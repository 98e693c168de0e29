import { FluxError } from '@flux/contract/errors';
import type { PageQuery } from '@flux/contract/page';

/** Rows per page where the request sets no limit. */
const DEFAULT_LIMIT = 50;

/** A requested page, with its parsed cursor. */
export interface Page<Cursor> {
  readonly limit: number;
  readonly after: Cursor | undefined;
}

/**
 * Reads which page a request asks for.
 *
 * @param parse returns undefined for a text that is not a cursor of this list
 * @throws FluxError `invalid_request`
 */
export function readPage<Cursor>({ limit, cursor }: PageQuery, parse: (cursor: string) => Cursor | undefined): Page<Cursor> {
  const after = cursor === undefined ? undefined : parse(cursor);
  if (cursor !== undefined && after === undefined)
    throw new FluxError('invalid_request', 'The cursor is not valid for this list.', {
      hint: 'Pass `nextCursor` of the previous page, or leave it out.',
    });
  return { limit: limit ?? DEFAULT_LIMIT, after };
}

/** Removes the extra row that was read to find out whether there is another page. */
export function cutPage<Row>(
  rows: readonly Row[],
  { limit }: Page<unknown>,
  cursorOf: (last: Row) => string,
): { readonly rows: readonly Row[]; readonly nextCursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { rows: shown, nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : null };
}
