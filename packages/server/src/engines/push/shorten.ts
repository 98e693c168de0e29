/** Enough to read of a server's message, which may contain a statement of 100 MB. */
const MAX_CHARACTERS = 8000;

/** Half of a surrogate pair at the end. */
const HALF = /[\ud800-\udbff]$/;

/** The beginning of a text, which does not end within a character. It is a copy: a slice of a huge string would keep all of it in memory. */
export function shorten(text: string, maxCharacters = MAX_CHARACTERS): string {
  if (text.length <= maxCharacters) return text;
  const beginning = Buffer.from(text.slice(0, maxCharacters).replace(HALF, ''), 'utf16le').toString('utf16le');
  return `${beginning}... (${text.length} characters)`;
}
