/** Enough to read of a server's message, which may contain a statement of 100 MB. */
const MAX_CHARACTERS = 8000;

/** The beginning of a text. It is a copy: a slice of a huge string would keep all of it in memory. */
export function shorten(text: string, maxCharacters = MAX_CHARACTERS): string {
  if (text.length <= maxCharacters) return text;
  const beginning = Buffer.from(text.slice(0, maxCharacters), 'utf16le').toString('utf16le');
  return `${beginning}... (${text.length} characters)`;
}
