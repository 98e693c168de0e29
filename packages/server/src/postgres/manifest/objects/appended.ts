/** What Flux appends to a statement that Postgres deparses: a value between two texts. */
const APPENDED = {
  /** Of triggers and rules: the letter of `tgenabled` or `ev_enabled`. */
  enabled: [' [enabled: ', ']'],
  /** Of statistics objects: their number of targets. */
  target: [' target ', ''],
} as const;

/** What Flux appends to a statement. */
export type Appended = keyof typeof APPENDED;

/** SQL expression: the text to append. @param value an expression of type text */
export function appendedSql(what: Appended, value: string): string {
  const [before, after] = APPENDED[what];
  return `'${before}' || ${value} || '${after}'`;
}

/** A definition as the statement and the text that was appended to it; empty when none was. */
export function splitAppended(what: Appended, definition: string): { readonly statement: string; readonly appended: string } {
  const [before, after] = APPENDED[what];
  const start = definition.lastIndexOf(before);
  const value = definition.slice(start + before.length, definition.length - after.length);
  // A statement can contain such a text itself; only at its end and with such a value it is ours.
  const isOurs = start >= 0 && definition.endsWith(after) && isValueOf(what, value);
  const end = isOurs ? start : definition.length;
  return { statement: definition.slice(0, end), appended: definition.slice(end) };
}

function isValueOf(what: Appended, value: string): boolean {
  return what === 'enabled' ? value.length === 1 : value.trim() === value && value !== '' && Number.isInteger(Number(value));
}
