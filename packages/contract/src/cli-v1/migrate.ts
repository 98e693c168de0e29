import * as z from 'zod';
import { Mode } from '../project.ts';

/**
 * `POST /migrate`. Without `yes: true` only a dry run is accepted. `dryRun`, `dumpOnly` and `staged`
 * are how existing clients send `how`; members that contradict each other, or `how`, are refused.
 */
export const LegacyMigrateRequest = z.strictObject({
  slug: z.string(),
  hash: z.string(),
  /** The engine to move to; only a pooled project can move, and only to a server of its own. */
  to: Mode.optional(),
  /**
   * `dry_run`: plan and preflight only. `dump_only`: a verified backup only. `staged`: also a dedicated copy
   * that is compared and left for inspection. `discard_staged`: removes that copy. `move`: all of it, then the switch.
   */
  how: z.enum(['dry_run', 'dump_only', 'staged', 'discard_staged', 'move']).optional(),
  dryRun: z.boolean().optional(),
  dumpOnly: z.boolean().optional(),
  staged: z.boolean().optional(),
  /** Required for everything but a dry run; without `how` or one of its short forms it moves the project. */
  yes: z.boolean().optional(),
  /** False lets clients write meanwhile; what they write after the snapshot is not moved. */
  lockWrites: z.boolean().optional(),
  /** The opposite of `lockWrites`, as some clients send it. */
  noLockWrites: z.boolean().optional(),
  /** Existing clients always send one of these two: a migration keeps the JWT secret, so anything else is refused. */
  preserveJwtSecret: z.boolean().optional(),
  newJwtSecret: z.boolean().optional(),
  /** Removes the pooled schema, roles and login after the switch; the gate must allow it. */
  dropSourceAfter: z.boolean().optional(),
  skipBackupCheck: z.boolean().optional(),
  reason: z.string().max(500).optional(),
});
/** `POST /migrate` */
export type LegacyMigrateRequest = z.infer<typeof LegacyMigrateRequest>;
