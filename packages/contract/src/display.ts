// Control characters, invisible formatting (also what turns the direction of text), and separators of lines.
const HIDDEN = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;
const HIDDEN_BUT_LINES = /(?![\n\t])[\p{Cc}\p{Cf}\u2028\u2029]/gu;

const escaped = (character: string) => `\\u${(character.codePointAt(0) as number).toString(16).padStart(4, '0')}`;

/** A foreign text in one line that is safe to show on a terminal or a page: control characters are shown, and do nothing. */
export function displaySafe(text: string): string {
  return text.replaceAll(HIDDEN, escaped);
}

/** The same for a text of several lines: their ends stay, and tabs. */
export function displayLines(text: string): string {
  return text.replaceAll(HIDDEN_BUT_LINES, escaped);
}

/** Members of answers that have several lines by design. Everything else is shown in one. */
const SEVERAL_LINES: ReadonlySet<string> = new Set([
  'prerequisitesSql',
  'hint',
  // Of a problem; `renderError` knows which of them may have lines.
  'detail',
  'error',
  'excerpt',
  'pem',
  'stderr',
  'toolOutput',
  'statement',
  'context',
  'sql',
  'before',
  'after',
]);

/** For `JSON.parse`: makes every text of an answer safe to show. What is in a list has lines where the list may have them. */
export function displayReviver(this: unknown, key: string, value: unknown): unknown {
  // Those in a list come before the list and its name.
  if (typeof value === 'string') return Array.isArray(this) || SEVERAL_LINES.has(key) ? displayLines(value) : displaySafe(value);
  return Array.isArray(value) && !Array.isArray(this) && !SEVERAL_LINES.has(key) ? inOneLineEach(value) : value;
}

function inOneLineEach(list: readonly unknown[]): unknown[] {
  return list.map((each) => {
    if (typeof each === 'string') return displaySafe(each);
    return Array.isArray(each) ? inOneLineEach(each) : each;
  });
}

/** JSON with everything escaped that a terminal might act on, and JSON itself allows as it is. */
export function displayJson(text: string): string {
  return text.replaceAll(HIDDEN_BUT_LINES, (character) =>
    // Outside the first plane a character is two units, each escaped.
    Array.from({ length: character.length }, (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  );
}
