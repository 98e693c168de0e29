import * as z from 'zod';

const patterns = z.array(z.string().min(1).max(200)).max(200);

/**
 * Which part of an attached database is backed up, by patterns as pg_dump has them: `*` is any characters, `?` one, double quotes keep a part
 * as it is written. Nothing in any of the lists means the whole database.
 */
export const BackupScope = z.strictObject({
  /** Only these schemas. */
  schemas: patterns,
  /** Not these schemas. */
  excludeSchemas: patterns,
  /** `schema.table`: these tables come back without rows. */
  excludeTableData: patterns,
});
/** Which part of an attached database is backed up. */
export type BackupScope = z.infer<typeof BackupScope>;

/** Whether a scope leaves nothing out. */
export function isWholeDatabase({ schemas, excludeSchemas, excludeTableData }: BackupScope): boolean {
  return schemas.length + excludeSchemas.length + excludeTableData.length === 0;
}

/** A scope in words: `schemas app, public; without the rows of log.*`. */
export function describeScope({ schemas, excludeSchemas, excludeTableData }: BackupScope): string {
  const parts = [
    schemas.length > 0
      ? `schemas ${schemas.join(', ')}${excludeSchemas.length > 0 ? `, but not ${excludeSchemas.join(', ')}` : ''}`
      : excludeSchemas.length > 0
        ? `all schemas but ${excludeSchemas.join(', ')}`
        : 'all schemas',
    ...(excludeTableData.length > 0 ? [`without the rows of ${excludeTableData.join(', ')}`] : []),
  ];
  return parts.join('; ');
}
