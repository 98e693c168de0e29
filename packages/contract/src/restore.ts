import * as z from 'zod';
import { Difference } from './backup.ts';
import { Mode } from './project.ts';

/** `POST /projects/:hash/backups/:id/restore`. Without `to`, `tables` and `inPlace` it restores into a new project. */
export const RestoreRequest = z
  .strictObject({
    /** Name of the new project. Absent: the project's own name when it has been removed, else `<slug>-restored`. */
    into: z.string().optional(),
    /** Engine of the new project; by default that of the backup. */
    mode: Mode.optional(),
    /** URI of a database of the user's own. */
    to: z.string().optional(),
    /** Restores even if the database at `to` is not empty. */
    force: z.boolean().optional(),
    /** First creates what the archive refers to but does not contain in the database at `to`: roles without login, extensions, types. */
    prerequisites: z.boolean().optional(),
    /** In an emergency: restores into a new project or to `to` what is left of a backup that is damaged, or that does not restore as a whole. */
    acceptUnproven: z.boolean().optional(),
    /**
     * Only into a new dedicated project: pg_restore runs as a superuser of its server, so that what no owner may create comes back too. Everything
     * in the archive then runs with all rights of that server. Needs the action `project.restore_as_superuser`.
     */
    asSuperuser: z.boolean().optional(),
    /** Restores only these tables, into a schema next to the live ones: `orders`, or `schema.table`. */
    tables: z.array(z.string().min(1)).min(1).max(100).optional(),
    /** Replaces the data of the project itself; the gate must allow it. */
    inPlace: z.boolean().optional(),
    /** Does not back up and verify the current state first. */
    skipPresentBackup: z.boolean().optional(),
    /** Overrides the gate. */
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
  /** The project that has the data now; null when it is outside Flux. */
  project: z.object({ slug: z.string(), hash: z.string(), mode: Mode }).nullable(),
  tablesCompared: z.number().int(),
  rowsCompared: z.number().int(),
  /** Where single tables were restored to. */
  tables: z.array(z.object({ table: z.string(), as: z.string() })).optional(),
  /** What was not compared, or is not brought back by a restore: none of it is a failure. */
  exceptions: z.array(Difference).default([]),
  /** What did not come back as it was dumped; only with `acceptUnproven`. */
  lost: z.array(Difference).optional(),
  /** What differs from the source, and why that is not a failure, in sentences. */
  notes: z.array(z.string()),
  /** Name of the database or schema that the replaced data is kept under; null when nothing was replaced. */
  previousKeptAs: z.string().nullable(),
  /** Until when it is kept, UTC; the next restore in place removes it earlier. Null when nothing was replaced. */
  previousKeptUntil: z.iso.datetime().nullable(),
  /** The safety backup of the replaced data, created and verified first. */
  presentBackupId: z.string().nullable(),
  /** How long the project did not answer, in milliseconds; null when nothing was replaced. */
  outageMs: z.number().nullable(),
});
/** What a restore did. */
export type RestoreAnswer = z.infer<typeof RestoreAnswer>;
