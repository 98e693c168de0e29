import { escapeIdentifier, escapeLiteral } from 'pg';

/** An identifier as SQL text, always in double quotes, so that a name is never read as a keyword. */
export function quoteIdentifier(name: string): string {
  return escapeIdentifier(name);
}

/** The reverse: the name of an identifier, which the server quotes only when necessary. */
export function unquoteIdentifier(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text;
}

/** `a."b.c".d` as its parts, each still SQL text. */
export function splitQualifiedName(name: string): string[] {
  return name.match(/"(?:[^"]|"")*"|[^."]+/g) ?? [];
}

/** A text constant as SQL text; one with a backslash becomes an E'' constant, which reads the same under every setting. */
export function quoteLiteral(text: string): string {
  return escapeLiteral(text);
}
