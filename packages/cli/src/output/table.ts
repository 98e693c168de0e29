import { stripVTControlCharacters } from 'node:util';
import { displayLines } from '@flux/contract/display';

/** How wide a cell is once the output has escaped what it does not show as it is; our colours have no width. */
const widthOf = (cell: string) => displayLines(stripVTControlCharacters(cell)).length;

/** Rows as text with columns of equal width, two spaces apart, without trailing spaces. */
export function formatColumns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, widthOf(cell));
  }
  return rows.map((row) =>
    row.map((cell, index) => (index === row.length - 1 ? cell : cell + ' '.repeat((widths[index] ?? 0) - widthOf(cell)))).join('  '),
  );
}

/** `Name:  value` lines with the values under each other; pairs whose value is null are left out. */
export function formatFields(pairs: readonly (readonly [string, string | null])[], indent = ''): string[] {
  const shown = pairs.flatMap(([name, value]) => (value === null ? [] : [[`${name}:`, value] as const]));
  return formatColumns(shown).map((line) => indent + line);
}
