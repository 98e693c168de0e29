import { blankOut } from '@flux/contract/sql/runnable';
import type { SqlStatement } from '@flux/contract/sql/split';
import { hasWords, readTokens, type SqlToken, wordOf } from '@flux/contract/sql/tokens';

/** The owner of everything in the databases that other people's SQL was written for. */
export const USUAL_OWNER = 'postgres';

interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Leaves out of a script what concerns the role `postgres`, for a server without it: rights for it, objects for it, acting as it. The
 * project's owner, who runs the script, has all of that already. What cannot be left out without changing the meaning stays, and
 * the server refuses it.
 *
 * @returns the text with blanks in these places, and in how many statements there were any
 */
export function withoutUsualOwner(sql: string, statements: readonly SqlStatement[]): { readonly sql: string; readonly count: number } {
  if (!/postgres/i.test(sql)) return { sql, count: 0 };
  const found = statements
    .filter(({ text }) => /postgres/i.test(text.slice(0, 10_000)))
    .map((statement) => spansOf(sql, statement))
    .filter((spans) => spans.length > 0);
  return { sql: blankOut(sql, found.flat()), count: found.length };
}

function spansOf(sql: string, { start, end }: SqlStatement): readonly Span[] {
  const tokens = readTokens(sql, start, end);
  const whole = [{ start, end }];
  const last = tokens.length - 1;
  if (wordOf(tokens[0]) === 'SET') {
    const at = ['LOCAL', 'SESSION'].includes(wordOf(tokens[1]) ?? '') && wordOf(tokens[2]) !== undefined ? 2 : 1;
    const isRole = hasWords(tokens, at, 'ROLE') && isOwner(tokens[at + 1]) && at + 1 === last;
    const isUser = hasWords(tokens, 1, 'SESSION', 'AUTHORIZATION') && isOwner(tokens[3]) && last === 3;
    return isRole || isUser ? whole : [];
  }
  if (wordOf(tokens[0]) === 'ALTER' && hasWords(tokens, last - 2, 'OWNER', 'TO') && isOwner(tokens[last])) return whole;
  if (hasWords(tokens, 0, 'CREATE', 'SCHEMA')) {
    const at = tokens.findIndex((token) => wordOf(token) === 'AUTHORIZATION');
    const name = tokens[at - 1];
    return at > 2 && wordOf(name) !== 'EXISTS' && isOwner(tokens[at + 1]) ? [spanOf(tokens, at, at + 1)] : [];
  }
  const isDefault = hasWords(tokens, 0, 'ALTER', 'DEFAULT', 'PRIVILEGES');
  const isGrant = ['GRANT', 'REVOKE'].includes(wordOf(tokens[0]) ?? '') && tokens.some((token) => wordOf(token) === 'ON');
  if (!isDefault && !isGrant) return [];
  const creator = isDefault ? creatorSpans(tokens) : [];
  const grantees = granteeSpans(tokens);
  return grantees === 'all' ? whole : [...creator, ...grantees];
}

/** `FOR ROLE postgres`: what the owner creates, which is what is meant without it as well. */
function creatorSpans(tokens: readonly SqlToken[]): readonly Span[] {
  const at = tokens.findIndex((token, index) => wordOf(token) === 'FOR' && ['ROLE', 'USER'].includes(wordOf(tokens[index + 1]) ?? ''));
  return at > 0 && isOwner(tokens[at + 2]) && tokens[at + 3]?.text !== ',' ? [spanOf(tokens, at, at + 2)] : [];
}

/** The role in the list behind the last TO or FROM; `all` when the list has nobody else. */
function granteeSpans(tokens: readonly SqlToken[]): readonly Span[] | 'all' {
  const from = tokens.findLastIndex((token) => ['TO', 'FROM'].includes(wordOf(token) ?? ''));
  if (from < 0) return [];
  const grantees: { token: SqlToken; comma: SqlToken | undefined }[] = [];
  for (let at = from + 1; at < tokens.length; at += 2) {
    const token = tokens[at];
    const isLast = tokens[at + 1]?.text !== ',';
    if (token !== undefined) grantees.push({ token, comma: isLast ? undefined : tokens[at + 1] });
    if (isLast) break;
  }
  const owners = grantees.filter(({ token }) => isOwner(token));
  if (owners.length === 0) return [];
  if (owners.length === grantees.length) return 'all';
  const spans = owners.map(({ token, comma }) => ({ start: token.start, end: comma?.end ?? token.end }));
  // The last of a list takes the comma before it.
  const lastKept = grantees.findLast(({ token }) => !isOwner(token));
  if (lastKept?.comma !== undefined) spans.push({ start: lastKept.comma.start, end: lastKept.comma.end });
  return spans.sort((a, b) => a.start - b.start);
}

function isOwner(token: SqlToken | undefined): boolean {
  return token?.text === `"${USUAL_OWNER}"` || wordOf(token) === USUAL_OWNER.toUpperCase();
}

function spanOf(tokens: readonly SqlToken[], first: number, last: number): Span {
  return { start: tokens[first]?.start ?? 0, end: tokens[last]?.end ?? 0 };
}
