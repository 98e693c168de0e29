import type { BackupScope } from '@flux/contract/backup-scope';
import { FluxError } from '@flux/contract/errors';
import type { OptionDefinition } from '../command.ts';

/** Which part of an attached database is backed up. Each may be given several times. */
export const SCOPE_OPTIONS: readonly OptionDefinition[] = [
  { flags: '--schema <pattern>', summary: 'back up only this schema; may be repeated', repeatable: true },
  { flags: '--exclude-schema <pattern>', summary: 'do not back up this schema; may be repeated', repeatable: true },
  {
    flags: '--exclude-table-data <pattern>',
    summary: 'back up schema.table without its rows; may be repeated',
    repeatable: true,
  },
];

/** What `SCOPE_OPTIONS` yield. */
export type ScopeOptions = { schema?: readonly string[]; excludeSchema?: readonly string[]; excludeTableData?: readonly string[] };

/** What is said about patterns in help texts. */
export const ABOUT_PATTERNS =
  'Patterns are those of pg_dump: * is any characters, ? one; quote them for the shell. Capitals are written between double quotes.';

/** The scope that options choose; undefined without any. @throws FluxError `usage` for an empty pattern */
export function scopeOf({ schema = [], excludeSchema = [], excludeTableData = [] }: ScopeOptions): BackupScope | undefined {
  const all = [...schema, ...excludeSchema, ...excludeTableData];
  if (all.length === 0) return undefined;
  if (all.includes('')) throw new FluxError('usage', 'A pattern is empty.', { hint: 'Name a schema or a table, or leave the option out.' });
  return { schemas: [...schema], excludeSchemas: [...excludeSchema], excludeTableData: [...excludeTableData] };
}
