// Control characters, invisible formatting (also what turns the direction of text), and separators of lines.
const HIDDEN = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;
const HIDDEN_BUT_LINES = /(?![\n\t])[\p{Cc}\p{Cf}\u2028\u2029]/gu;
const CONTROL = /\p{Cc}/gu;
const CONTROL_BUT_LINES = /(?![\n\t])\p{Cc}/gu;

const escaped = (character: string) => `\\u${(character.codePointAt(0) as number).toString(16).padStart(4, '0')}`;

/** A foreign text in one line that is safe to show on a terminal or a page: control characters are shown, and do nothing. */
export function displaySafe(text: string): string {
  return text.replaceAll(HIDDEN, escaped);
}

/** The same for a text of several lines: their ends stay, and tabs. */
export function displayLines(text: string): string {
  return text.replaceAll(HIDDEN_BUT_LINES, escaped);
}

/**
 * A foreign text in one line, to be stored or compared: only control characters are escaped, which no name that Flux accepts has. Invisible
 * formatting stays as it is, because words of Persian, Arabic and many other scripts are written with it; it is escaped where it is shown.
 */
export function withoutControls(text: string): string {
  return text.replaceAll(CONTROL, escaped);
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

/**
 * For `JSON.parse`: keeps the texts of an answer from beginning lines, or containing codes for a terminal. What is in a list has lines where
 * the list may have them. Names stay what they are, since they are compared and sent back: the output escapes the rest.
 */
export function answerReviver(this: unknown, key: string, value: unknown): unknown {
  // Those in a list come before the list and its name.
  if (typeof value === 'string')
    return Array.isArray(this) || SEVERAL_LINES.has(key) ? value.replaceAll(CONTROL_BUT_LINES, escaped) : withoutControls(value);
  return Array.isArray(value) && !Array.isArray(this) && !SEVERAL_LINES.has(key) ? inOneLineEach(value) : value;
}

function inOneLineEach(list: readonly unknown[]): unknown[] {
  return list.map((each) => {
    if (typeof each === 'string') return withoutControls(each);
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
