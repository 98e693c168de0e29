import type { BackupScope } from '@flux/contract/backup-scope';
import { z } from 'zod';

/** The part of a database that a project's settings choose, as a snapshot of it has it. Names are plain, unless they say SQL. */
export interface Selection {
  /** The settings. */
  readonly wanted: BackupScope;
  /** The schemas that are backed up. */
  readonly schemas: readonly string[];
  /** The others, without those of the system. */
  readonly otherSchemas: readonly string[];
  /** Whether what belongs to no schema is backed up: not when the settings choose schemas. */
  readonly databaseWide: boolean;
  /** The extensions that the archive creates, null for all. */
  readonly extensions: readonly string[] | null;
  /** Whether the archive has publications: some versions of pg_dump write them with tables that are not backed up. */
  readonly publications: boolean;
  /** Tables of these schemas whose rows are not backed up, as SQL; the partitions of a partitioned table are listed as well. */
  readonly withoutRows: readonly string[];
}

const names = z.array(z.string());

/** The schema of a stored selection. */
export const selectionSchema: z.ZodType<Selection> = z.strictObject({
  wanted: z.strictObject({ schemas: names, excludeSchemas: names, excludeTableData: names }),
  schemas: names,
  otherSchemas: names,
  databaseWide: z.boolean(),
  extensions: names.nullable(),
  publications: z.boolean(),
  withoutRows: names,
});
