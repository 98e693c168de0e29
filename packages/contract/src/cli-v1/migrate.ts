import * as z from 'zod';
import { Mode } from '../project.ts';

/**
 * `POST /migrate`. Without `yes: true` it only plans, and that only when a dry run is asked for. `dryRun`, `dumpOnly` and `staged`
 * are the forms of `how` as existing clients say them; one that contradicts another, or `how`, is refused.
 */
export const LegacyMigrateRequest = z.strictObject({
  slug: z.string(),
  hash: z.string(),
  /** The engine to move to; only a pooled project can move, and only to a server of its own. */
  to: Mode.optional(),
  /**
   * `dry_run`: plan and preflight, nothing else. `dump_only`: a proven backup and nothing else. `staged`: also a dedicated copy
   * that is compared and left for inspection. `discard_staged`: removes that copy. `move`: everything, then the flip.
   */
  how: z.enum(['dry_run', 'dump_only', 'staged', 'discard_staged', 'move']).optional(),
  dryRun: z.boolean().optional(),
  dumpOnly: z.boolean().optional(),
  staged: z.boolean().optional(),
  /** Needed for everything but a dry run; with no form named it moves the project. */
  yes: z.boolean().optional(),
  /** False lets clients write meanwhile: what they write after the snapshot stays behind. */
  lockWrites: z.boolean().optional(),
  /** Removes the pooled schema, roles and login after the flip; the gate is asked. */
  dropSourceAfter: z.boolean().optional(),
  skipBackupCheck: z.boolean().optional(),
  reason: z.string().max(500).optional(),
});
/** `POST /migrate` */
export type LegacyMigrateRequest = z.infer<typeof LegacyMigrateRequest>;
