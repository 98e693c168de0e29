import { scanToken, type TokenKind } from './scan.ts';

/** A piece of SQL that means something; what stands between parentheses is one token, with its own tokens inside. */
export interface SqlToken {
  readonly kind: Exclude<TokenKind, 'space' | 'open' | 'close'> | 'group';
  /** A word in upper case, so that it can be compared with a keyword; anything else as it is written. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly inside: readonly SqlToken[];
}

/** Deeper nesting is passed over, so that no text can exhaust the stack; no person and no generator writes it. */
const DEEPEST = 500;

/** Reads a part of a text as tokens. Parentheses that do not fit are no error: the server says what is wrong with them. */
export function readTokens(sql: string, from = 0, to = sql.length): readonly SqlToken[] {
  const outermost: SqlToken[] = [];
  const open: { readonly start: number; readonly outside: SqlToken[] }[] = [];
  let current = outermost;
  let beyond = 0;
  const close = (end: number) => {
    if (beyond > 0) {
      beyond -= 1;
      return;
    }
    const group = open.pop();
    if (group === undefined) return;
    group.outside.push({ kind: 'group', text: '', start: group.start, end, inside: current });
    current = group.outside;
  };
  for (let at = from; at < to; ) {
    const { kind, end } = scanToken(sql, at);
    if (kind === 'open' && open.length === DEEPEST) beyond += 1;
    else if (kind === 'open') {
      open.push({ start: at, outside: current });
      current = [];
    } else if (kind === 'close') close(end);
    else if (kind !== 'space' && beyond === 0) {
      const text = sql.slice(at, end);
      current.push({ kind, text: kind === 'word' ? text.toUpperCase() : text, start: at, end, inside: [] });
    }
    at = end;
  }
  beyond = 0;
  while (open.length > 0) close(to);
  return outermost;
}

/** The keyword that a token may be; a quoted name is never one. */
export function wordOf(token: SqlToken | undefined): string | undefined {
  return token?.kind === 'word' ? token.text : undefined;
}

/** Whether these words follow each other at this position. */
export function hasWords(tokens: readonly SqlToken[], at: number, ...words: readonly string[]): boolean {
  return words.every((word, index) => wordOf(tokens[at + index]) === word);
}

/** Number of the first token that is one of these words, or -1. */
export function indexOfWord(tokens: readonly SqlToken[], ...words: readonly string[]): number {
  return tokens.findIndex((token) => token.kind === 'word' && words.includes(token.text));
}

/** Longer than any excerpt that is shown. */
const LONGEST_LINE = 1100;

/** The text of a part on one line, without its comments. A long one is cut: many parts may reach to the same end. */
export function writeOnOneLine(sql: string, from: number, to: number): string {
  let line = '';
  for (let at = from; at < to && line.length < LONGEST_LINE; ) {
    const { kind, end } = scanToken(sql, at);
    if (kind !== 'space') line += sql.slice(at, Math.min(end, at + LONGEST_LINE)).replace(/\s+/g, ' ');
    else if (!line.endsWith(' ')) line += ' ';
    at = end;
  }
  return line.trim();
}
