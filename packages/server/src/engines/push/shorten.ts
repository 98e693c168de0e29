/** Enough to read of what a server says; a statement of 100 MB may be part of it. */
const MAX_CHARACTERS = 8000;

/** A text cut to its beginning. What is cut is a copy: a part of a huge text would keep all of it in memory. */
export function shorten(text: string, maxCharacters = MAX_CHARACTERS): string {
  if (text.length <= maxCharacters) return text;
  const beginning = Buffer.from(text.slice(0, maxCharacters), 'utf16le').toString('utf16le');
  return `${beginning}... (${text.length} characters)`;
}
