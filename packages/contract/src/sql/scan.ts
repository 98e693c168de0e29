/**
 * Finds where each piece of SQL text ends, by the rules of the server's own scanner. Source: the manual, 4.1 "Lexical
 * Structure", and src/backend/parser/scan.l. `standard_conforming_strings` is taken to be on.
 *
 * The time it takes MUST be linear in the length of the text, which may be hostile. So no pattern here repeats
 * something that repeats, and nothing that was found ahead is searched for again before it is reached.
 */

/** What a piece of SQL text is; `space` is white space or a comment, `other` anything without a meaning here. */
export type TokenKind = 'space' | 'word' | 'quoted' | 'string' | 'semicolon' | 'open' | 'close' | 'backslash' | 'other';

const SPACE = /[ \t\n\r\f\v]+/y;
// High characters are letters to the server, whatever Unicode calls them.
const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y;

/** Kind of the piece that begins at `offset`, and the offset behind it. An unterminated piece ends with the text. */
export function scanToken(sql: string, offset: number): { readonly kind: TokenKind; readonly end: number } {
  const character = sql[offset];
  switch (character) {
    case ';':
      return { kind: 'semicolon', end: offset + 1 };
    case '(':
      return { kind: 'open', end: offset + 1 };
    case ')':
      return { kind: 'close', end: offset + 1 };
    case '\\':
      return { kind: 'backslash', end: offset + 1 };
    case "'":
      return { kind: 'string', end: endOfQuoted(sql, offset, "'") };
    case '"':
      return { kind: 'quoted', end: endOfQuoted(sql, offset, '"') };
    case '$':
      return scanDollar(sql, offset);
    case '-':
      if (sql[offset + 1] === '-') return { kind: 'space', end: endOfLine(sql, offset) };
      return { kind: 'other', end: offset + 1 };
    case '/':
      if (sql[offset + 1] === '*') return { kind: 'space', end: endOfBlockComment(sql, offset) };
      return { kind: 'other', end: offset + 1 };
    case 'e':
    case 'E':
      if (sql[offset + 1] === "'") return { kind: 'string', end: endOfEscapeString(sql, offset + 2) };
  }
  const space = matchEnd(SPACE, sql, offset);
  if (space !== undefined) return { kind: 'space', end: space };
  const word = matchEnd(WORD, sql, offset);
  if (word !== undefined) return { kind: 'word', end: word };
  return { kind: 'other', end: offset + 1 };
}

function matchEnd(pattern: RegExp, sql: string, offset: number): number | undefined {
  pattern.lastIndex = offset;
  return pattern.test(sql) ? pattern.lastIndex : undefined;
}

function endOfLine(sql: string, offset: number): number {
  for (let end = offset; end < sql.length; end++) if (sql[end] === '\n' || sql[end] === '\r') return end;
  return sql.length;
}

function endOfQuoted(sql: string, offset: number, quote: string): number {
  for (let from = offset + 1; ; ) {
    const found = sql.indexOf(quote, from);
    if (found < 0) return sql.length;
    if (sql[found + 1] !== quote) return found + 1;
    from = found + 2;
  }
}

/** @param offset behind the opening quote */
function endOfEscapeString(sql: string, offset: number): number {
  for (let at = offset; at < sql.length; at++) {
    if (sql[at] === '\\') at++;
    else if (sql[at] === "'") {
      if (sql[at + 1] === "'") {
        at++;
        continue;
      }
      const continued = startOfContinuation(sql, at + 1);
      if (continued === undefined) return at + 1;
      at = continued;
    }
  }
  return sql.length;
}

/**
 * Offset of the quote that goes on with the string which ended just before `offset`: white space with a line break, and
 * comments, may stand between. Undefined when something else follows.
 */
function startOfContinuation(sql: string, offset: number): number | undefined {
  let hasLineBreak = false;
  for (let at = offset; at < sql.length; at++) {
    const character = sql[at] as string;
    if (character === "'") return hasLineBreak ? at : undefined;
    if (character === '\n' || character === '\r') hasLineBreak = true;
    else if (character === '-' && sql[at + 1] === '-')
      at = endOfLine(sql, at) - 1; // Its line break is the next character.
    else if (!' \t\f\v'.includes(character)) return undefined;
  }
  return undefined;
}

function scanDollar(sql: string, offset: number): { kind: TokenKind; end: number } {
  const open = matchEnd(DOLLAR_TAG, sql, offset);
  if (open === undefined) return { kind: 'other', end: offset + 1 };
  const tag = sql.slice(offset, open);
  const close = sql.indexOf(tag, open);
  return { kind: 'string', end: close < 0 ? sql.length : close + tag.length };
}

function endOfBlockComment(sql: string, offset: number): number {
  let at = offset + 2;
  let nextOpen = sql.indexOf('/*', at);
  let nextClose = sql.indexOf('*/', at);
  for (let depth = 1; depth > 0; ) {
    if (nextOpen >= 0 && nextOpen < at) nextOpen = sql.indexOf('/*', at);
    if (nextClose >= 0 && nextClose < at) nextClose = sql.indexOf('*/', at);
    if (nextClose < 0) return sql.length;
    if (nextOpen >= 0 && nextOpen < nextClose) {
      depth++;
      at = nextOpen + 2;
    } else {
      depth--;
      at = nextClose + 2;
    }
  }
  return at;
}
