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
  try {
    return JSON.parse(text);
  } catch {
    throw new FluxError('invalid_request', 'The body is not JSON.');
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
