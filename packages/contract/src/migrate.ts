import * as z from 'zod';
import { Mode } from './project.ts';

const common = {
  /** The engine to move to; only a pooled project can move, and only to a server of its own. */
  to: Mode.optional(),
  /** False lets clients write meanwhile; what they write after the snapshot is not moved. */
  lockWrites: z.boolean().optional(),
  /** Removes the pooled schema, roles and login after the switch; the gate must allow it. */
  dropSourceAfter: z.boolean().optional(),
};

/** `POST /projects/:hash/migration/plan`: changes nothing. */
export const PlanMigrationRequest = z.strictObject(common).optional();

/** `POST /projects/:hash/migration` */
export const MigrateRequest = z.strictObject({
  ...common,
  /**
   * `dump_only`: a verified backup only. `staged`: also a dedicated copy that is compared and left for inspection.
   * `discard_staged`: removes that copy. `move`: all of it, then the switch.
   */
  how: z.enum(['dump_only', 'staged', 'discard_staged', 'move']),
  skipBackupCheck: z.boolean().optional(),
  reason: z.string().max(500).optional(),
});
/** `POST /projects/:hash/migration` */
export type MigrateRequest = z.infer<typeof MigrateRequest>;

/** A finding of the preflight. One that `blocks` prevents the migration. */
export const MigrateFinding = z.object({ severity: z.enum(['blocks', 'warns']), what: z.string(), found: z.string() });
/** A finding of the preflight. */
export type MigrateFinding = z.infer<typeof MigrateFinding>;

/** What a migration will do. Row counts are the planner's estimates. */
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
/** What a migration will do. */
export type MigratePlan = z.infer<typeof MigratePlan>;

/** What a migration has done. */
export const MigrateResult = z.object({
  did: z.enum(['dumped', 'staged', 'discarded', 'migrated', 'dropped_source', 'nothing']),
  backupId: z.string().nullable(),
  tablesCompared: z.number().int(),
  rowsCompared: z.number().int(),
  notes: z.array(z.string()),
  /** How long writes were blocked, in milliseconds. */
  writesHeldMs: z.number().nullable(),
  /** How long nobody could log in, in milliseconds. */
  outageMs: z.number().nullable(),
  /** True while the pooled schema still exists, without access for clients. */
  sourceKept: z.boolean(),
  /** Address of the copy that was left for inspection; its password is the project's. */
  staged: z.object({ host: z.string(), port: z.number().int(), database: z.string(), user: z.string() }).nullable(),
});
/** What a migration has done. */
export type MigrateResult = z.infer<typeof MigrateResult>;

/** Plan and result of a migration. `result` is null in the answer to a plan request. */
export const MigrateAnswer = z.object({
  ok: z.boolean().describe('false when a finding of the preflight blocks'),
  plan: MigratePlan,
  preflight: z.array(MigrateFinding),
  result: MigrateResult.nullable(),
});
/** Plan and result of a migration. */
export type MigrateAnswer = z.infer<typeof MigrateAnswer>;
