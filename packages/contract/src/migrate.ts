import * as z from 'zod';
import { Mode } from './project.ts';

const common = {
  /** The engine to move to; only a pooled project can move, and only to a server of its own. */
  to: Mode.optional(),
  /** False lets clients write meanwhile: what they write after the snapshot stays behind. */
  lockWrites: z.boolean().optional(),
  /** Removes the pooled schema, roles and login after the flip; the gate is asked. */
  dropSourceAfter: z.boolean().optional(),
};

/** `POST /projects/:hash/migration/plan`: looks and changes nothing. */
export const PlanMigrationRequest = z.strictObject(common).optional();

/** `POST /projects/:hash/migration` */
export const MigrateRequest = z.strictObject({
  ...common,
  /**
   * `dump_only`: a proven backup and nothing else. `staged`: also a dedicated copy that is compared and left for inspection.
   * `discard_staged`: removes that copy. `move`: everything, then the flip.
   */
  how: z.enum(['dump_only', 'staged', 'discard_staged', 'move']),
  skipBackupCheck: z.boolean().optional(),
  reason: z.string().max(500).optional(),
});
/** `POST /projects/:hash/migration` */
export type MigrateRequest = z.infer<typeof MigrateRequest>;

/** Something that a look at the source has found. What `blocks` makes the migration refuse. */
export const MigrateFinding = z.object({ severity: z.enum(['blocks', 'warns']), what: z.string(), found: z.string() });
/** Something that a look at the source has found. */
export type MigrateFinding = z.infer<typeof MigrateFinding>;

/** What a migration is going to do. Rows are the planner's estimate. */
export const MigratePlan = z.object({
  slug: z.string(),
  hash: z.string(),
  from: Mode,
  to: Mode,
  how: z.string(),
  lockWrites: z.boolean(),
  dropSourceAfter: z.boolean(),
  tables: z.number().int(),
  estimatedRows: z.number(),
  sizeBytes: z.number(),
  steps: z.array(z.string()),
});
/** What a migration is going to do. */
export type MigratePlan = z.infer<typeof MigratePlan>;

/** What a migration has done. */
export const MigrateResult = z.object({
  did: z.enum(['dumped', 'staged', 'discarded', 'migrated', 'dropped_source', 'nothing']),
  backupId: z.string().nullable(),
  tablesCompared: z.number().int(),
  rowsCompared: z.number().int(),
  notes: z.array(z.string()),
  /** For how long writes had to wait, in milliseconds. */
  writesHeldMs: z.number().nullable(),
  /** For how long nobody could log in, in milliseconds. */
  outageMs: z.number().nullable(),
  /** True while the pooled schema is still there, closed. */
  sourceKept: z.boolean(),
  /** Where the copy answers that was left for inspection; its password is the project's. */
  staged: z.object({ host: z.string(), port: z.number().int(), database: z.string(), user: z.string() }).nullable(),
});
/** What a migration has done. */
export type MigrateResult = z.infer<typeof MigrateResult>;

/** Plan and result of a migration. `result` is null for a plan alone. */
export const MigrateAnswer = z.object({
  ok: z.boolean().describe('false when the preflight has found something that blocks'),
  plan: MigratePlan,
  preflight: z.array(MigrateFinding),
  result: MigrateResult.nullable(),
});
/** Plan and result of a migration. */
export type MigrateAnswer = z.infer<typeof MigrateAnswer>;
