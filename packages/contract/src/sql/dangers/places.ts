import { readTokens, type SqlToken, wordOf, writeOnOneLine } from '../tokens.ts';
import type { Found, Fragment, Remark } from './found.ts';

/*
 * The trees of libpg_query say where names and constants stand, but not where statements and the actions of ALTER TABLE begin
 * and end. That is read from the tokens here; what a statement does is never decided by them.
 */

/** A remark about the statement of a fragment as a whole. */
export function onWhole({ text, locate }: Fragment, remark: Remark): Found {
  return { ...remark, at: locate(0), statement: writeOnOneLine(text, 0, text.length) };
}

/** A remark about the query around a name: the one in the innermost parentheses, else the whole statement. */
export function onQueryAround(fragment: Fragment, bytes: unknown, remark: Remark): Found {
  if (typeof bytes !== 'number') return onWhole(fragment, remark);
  const offset = offsetOfByte(fragment.text, bytes);
  let inside: readonly SqlToken[] | undefined;
  for (let level = readTokens(fragment.text); ; ) {
    const group = level.find(({ kind, start, end }) => kind === 'group' && start < offset && offset < end);
    if (group === undefined) break;
    inside = group.inside;
    level = group.inside;
  }
  const [first, last] = [inside?.[0], inside?.at(-1)];
  if (first === undefined || last === undefined) return onWhole(fragment, remark);
  return { ...remark, at: fragment.locate(first.start), statement: writeOnOneLine(fragment.text, first.start, last.end) };
}

/** Remarks about the actions of ALTER TABLE or ALTER TYPE, each shown behind the beginning of the statement. */
export function onActions(fragment: Fragment, remarks: readonly (Remark | undefined)[]): Found[] {
  const { text, locate } = fragment;
  const tokens = readTokens(text);
  const behindName = endOfAlteredName(tokens);
  const actions = splitAtCommas(tokens.slice(behindName));
  const head = writeOnOneLine(text, 0, tokens[behindName - 1]?.end ?? 0);
  return remarks.flatMap((remark, index) => {
    if (remark === undefined) return [];
    const [first, last] = [actions[index]?.[0], actions[index]?.at(-1)];
    if (actions.length !== remarks.length || first === undefined || last === undefined) return [onWhole(fragment, remark)];
    return [{ ...remark, at: locate(first.start), statement: `${head} ${writeOnOneLine(text, first.start, last.end)}` }];
  });
}

/** Number of the token behind the name in `ALTER TABLE IF EXISTS ONLY a.b *`. */
function endOfAlteredName(tokens: readonly SqlToken[]): number {
  let at = 2;
  while (['IF', 'EXISTS', 'ONLY'].includes(wordOf(tokens[at]) ?? '')) at += 1;
  at += 1;
  while (tokens[at]?.text === '.') at += 2;
  return tokens[at]?.text === '*' ? at + 1 : at;
}

function splitAtCommas(tokens: readonly SqlToken[]): SqlToken[][] {
  const parts: SqlToken[][] = [[]];
  let brackets = 0;
  for (const token of tokens) {
    if (token.text === '[') brackets += 1;
    if (token.text === ']') brackets -= 1;
    if (token.text === ',' && brackets === 0) parts.push([]);
    else parts.at(-1)?.push(token);
  }
  return parts;
}

/** The offset in UTF-16 units of a byte of the text in UTF-8. */
export function offsetOfByte(text: string, byte: number): number {
  let offset = 0;
  for (let bytes = 0; bytes < byte && offset < text.length; offset += 1) {
    const unit = text.charCodeAt(offset);
    // A surrogate pair takes four bytes.
    bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 2 : 3;
  }
  return offset;
}

/**
 * The text inside of a string constant, when offsets in it can be followed; undefined for an escape string or one with Unicode
 * escapes, whose text is another one.
 */
export function openString({ text, locate }: Fragment, token: SqlToken): Fragment | undefined {
  const tag = /^\$[^$]*\$/.exec(token.text)?.[0];
  if (tag !== undefined)
    return { text: token.text.slice(tag.length, -tag.length), locate: (offset) => locate(token.start + tag.length + offset) };
  if (!token.text.startsWith("'") || /[uU]&$/.test(text.slice(Math.max(0, token.start - 2), token.start))) return undefined;
  // A doubled quote stands for one; the space keeps every offset behind it.
  return { text: token.text.slice(1, -1).replaceAll("''", "' "), locate: (offset) => locate(token.start + 1 + offset) };
}
