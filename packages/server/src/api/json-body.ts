import { FluxError } from '@flux/contract/errors';

/** Far more than any route needs. The limit of the length is not enough: parsing `[[[[` takes many times its length in memory, and minutes. */
const MAX_DEPTH = 64;
const MAX_MEMBERS = 100_000;

/**
 * Parses the body of a request, which may be hostile. Its values are counted first: long strings are accepted, very many or deeply
 * nested values are not.
 *
 * @returns undefined for an empty body: `curl -X POST -H 'content-type: application/json'` sends one
 * @throws FluxError `invalid_request`
 */
export function parseJsonBody(text: string): unknown {
  if (text === '') return undefined;
  requireModest(text);
  const body = parse(text);
  if (MAY_BE_NO_TEXT.test(text)) requireText(body, '');
  return body;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new FluxError('invalid_request', 'The body is not JSON.');
  }
}

/** Escapes of NUL and of surrogates. */
const MAY_BE_NO_TEXT = /\\u(?:0000|d[89a-f])/i;

/** Postgres stores neither NUL nor half of a surrogate pair. SQL is left to its reader, which says in which line it is. */
function requireText(value: unknown, name: string): void {
  if (typeof value === 'string' && name !== 'sql' && (value.includes('\0') || !value.isWellFormed()))
    throw new FluxError('invalid_request', `The body has a NUL or half of a character in ${name === '' ? 'its text' : `"${name}"`}.`, {
      hint: 'Send valid Unicode text without NUL.',
    });
  if (typeof value !== 'object' || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    requireText(key, '');
    requireText(member, key);
  }
}

function requireModest(text: string): void {
  let depth = 0;
  let members = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '"':
        at = endOfString(text, at);
        break;
      case '[':
      case '{':
        depth += 1;
        members += 1;
        break;
      case ']':
      case '}':
        depth -= 1;
        break;
      case ',':
        members += 1;
    }
    if (depth > MAX_DEPTH) throw new FluxError('invalid_request', `The body is nested more than ${MAX_DEPTH} deep.`);
    if (members > MAX_MEMBERS) throw new FluxError('invalid_request', `The body contains more than ${MAX_MEMBERS} values.`);
  }
}

/** Offset of the quote that ends a string; the end of the text when it is missing. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    at = text.indexOf('"', at);
    if (at < 0) return text.length;
    let backslashes = 0;
    while (text[at - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return at;
  }
}
