import * as z from 'zod';
import { Mode } from './project.ts';

/** `POST /projects/:hash/backups/:id/restore`. Without `to` and `inPlace` a new project is made. */
export const RestoreRequest = z
  .strictObject({
    /** Name of the new project. Absent: the project's own name when it has been removed, else `<slug>-restored`. */
    into: z.string().optional(),
    /** Engine of the new project; absent means the one that the backup was made on. */
    mode: Mode.optional(),
    /** URI of a database of the user's. */
    to: z.string().optional(),
    /** Goes on although the database at `to` is not empty. */
    force: z.boolean().optional(),
    /** Makes what the archive refers to and does not hold first, in the database at `to`: roles without login, extensions, types. */
    prerequisites: z.boolean().optional(),
    /** Restores only these tables, beside the live ones: `orders`, or `schema.table`. */
    tables: z.array(z.string().min(1)).min(1).max(100).optional(),
    /** Replaces the data of the project itself; the gate is asked. */
    inPlace: z.boolean().optional(),
    /** Does not take and prove a backup of the present state first. */
    skipPresentBackup: z.boolean().optional(),
    /** Goes on although the gate is shut. */
    skipBackupCheck: z.boolean().optional(),
    reason: z.string().max(500).optional(),
  })
  .optional();
/** `POST /projects/:hash/backups/:id/restore` */
export type RestoreRequest = z.infer<typeof RestoreRequest>;

/** What a restore did. */
export const RestoreAnswer = z.object({
  ok: z.literal(true),
  how: z.enum(['into', 'revived', 'in_place', 'to', 'undo', 'tables']),
  /** Null for an undo. */
  backupId: z.string().nullable(),
  /** Where the data is now; null when it is outside of Flux. */
  project: z.object({ slug: z.string(), hash: z.string(), mode: Mode }).nullable(),
  tablesCompared: z.number().int(),
  rowsCompared: z.number().int(),
  /** Where single tables came back. */
  tables: z.array(z.object({ table: z.string(), as: z.string() })).optional(),
  /** What is not as it was, and why that is no failure, in sentences. */
  notes: z.array(z.string()),
  /** Name of the database or schema that the replaced data is kept under; null when nothing was replaced. */
  previousKeptAs: z.string().nullable(),
  /** Until when it is kept at the longest, UTC; the next restore in place removes it sooner. Null when nothing was replaced. */
  previousKeptUntil: z.iso.datetime().nullable(),
  /** The backup of the replaced data that was taken and proven first. */
  presentBackupId: z.string().nullable(),
  /** For how long the project did not answer, in milliseconds; null when nothing was replaced. */
  outageMs: z.number().nullable(),
});
/** What a restore did. */
export type RestoreAnswer = z.infer<typeof RestoreAnswer>;
