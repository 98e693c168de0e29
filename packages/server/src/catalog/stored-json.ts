import { FluxError } from '@flux/contract/errors';
import type * as z from 'zod';

/**
 * Parses a JSON column. What is in it was written by this version of Flux, by another one, or by a hand.
 *
 * @param what names it in the error, like "The proof of backup 0190..."
 * @throws FluxError `internal`, which names the path of what is not as it should be
 */
export function parseStored<Schema extends z.ZodType>(schema: Schema, stored: unknown, what: string): z.output<Schema> {
  const parsed = schema.safeParse(stored);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.map(String).join('.')}: `;
  throw new FluxError('internal', `${what} in the catalog cannot be read: ${path}${issue?.message ?? 'invalid'}.`, {
    hint: 'Another version of Flux or something else has changed the catalog. Run the version that wrote it, or restore the catalog.',
    cause: parsed.error,
  });
}

/** An escape of JSON, so that two backslashes in a row are seen as one of their own. */
const ESCAPE = /\\(?:u[0-9a-f]{4}|.)/g;
/** What `JSON.stringify` writes for half of a surrogate pair, which a text has that was cut in the middle of an emoji, and for NUL. */
const NOT_TEXT = /^\\u(?:d[89a-f]|0000)/;

/**
 * The text of a JSON column. Postgres refuses halves of surrogate pairs and NUL in one: both become U+FFFD, since no word of a server or of a
 * client may keep from being recorded what has happened. Source: the manual, 8.14.
 */
export function toStoredJson(value: unknown): string {
  return JSON.stringify(value).replace(ESCAPE, (found) => (NOT_TEXT.test(found) ? '\\ufffd' : found));
}
