/** Longer than any definition with such a list; a text of a hostile dump must not keep us busy. */
const MAX_LENGTH = 1 << 18;
const MAX_ATTEMPTS = 300;

/**
 * Converts a definition to the form that it has after Postgres has parsed its own output again.
 *
 * `status IN ('a', 'b')` on a varchar column is stored and shown as `(ARRAY['a'::character varying, ...])::text[]`; when that
 * text is read back, the parser moves the cast inwards: `ARRAY[('a'::character varying)::text, ...]`. So the text of the definition
 * differs after every restore, without any difference in meaning. This moves the cast in the same way.
 */
export function normaliseDefinition(text: string): string {
  if (text.length > MAX_LENGTH) return text;
  let result = text;
  for (let from = 0, attempts = 0; attempts < MAX_ATTEMPTS; attempts++) {
    const start = result.indexOf('(ARRAY[', from);
    if (start < 0) return result;
    const rewritten = rewriteAt(result, start);
    if (rewritten === undefined) from = start + 1;
    else result = rewritten;
  }
  return result;
}

function rewriteAt(text: string, start: number): string | undefined {
  const open = start + '(ARRAY'.length;
  const elements: string[] = [];
  let element = open + 1;
  let close = -1;
  for (let at = open, depth = 0; at < text.length && close < 0; at++) {
    const character = text[at] as string;
    if (character === "'" || character === '"') {
      at = endOfQuoted(text, at, character);
      if (at < 0) return undefined;
    } else if ('([{'.includes(character)) depth++;
    else if (')]}'.includes(character)) {
      depth--;
      if (depth === 0) close = at;
    } else if (character === ',' && depth === 1) {
      elements.push(text.slice(element, at));
      element = at + 1;
    }
  }
  if (close < 0) return undefined;
  elements.push(text.slice(element, close));
  const cast = /^\]\)::([\w."][\w." ]*(?:\([\d,]+\))?)\[\]/.exec(text.slice(close, close + 300));
  if (cast === null) return undefined;
  const moved = elements.map((part) => `(${part.trim()})::${cast[1]}`).join(', ');
  return `${text.slice(0, start)}ARRAY[${moved}]${text.slice(close + cast[0].length)}`;
}

/** Index of the closing quote; a doubled quote stands for itself. Deparsed text has no other escapes but in E'' literals, where \\' never occurs. */
function endOfQuoted(text: string, start: number, quote: string): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] !== quote) continue;
    if (text[at + 1] === quote) at++;
    else return at;
  }
  return -1;
}
