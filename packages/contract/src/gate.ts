import * as z from 'zod';
import { TRUST_TIERS } from './labels.ts';
import { PushPolicy } from './project.ts';

/** The actions that the gate can be asked about. A push is refused only when the policy of its project says so. */
export const GateAction = z.enum(['push', 'nuke', 'reset', 'restore_in_place', 'migrate_drop_source', 'delete_last_verified']);
/** The actions that the gate can be asked about. */
export type GateAction = z.infer<typeof GateAction>;

/** `GET /projects/:hash/gate`: the intended action; with `delete_last_verified`, the backup to delete (an id, or `latest`). */
export const GateQuestion = z.object({ action: GateAction, backup: z.string().optional() });

const count = z.number().int().nonnegative();

/** What has changed since a backup, by Postgres's own counters, which include rolled-back rows; or why that is unknown. */
export const Changes = z.union([
  z.object({
    known: z.literal(true),
    rowsInserted: count,
    rowsUpdated: count,
    rowsDeleted: count,
    tablesCreated: count,
    tablesDropped: count,
    /** Emptied by TRUNCATE, or rewritten by VACUUM FULL, CLUSTER or ALTER TABLE. */
    tablesRewritten: count,
  }),
  z.object({ known: z.literal(false), why: z.string() }),
]);
/** What has changed since a backup, or why that is unknown. */
export type Changes = z.infer<typeof Changes>;

/** The newest restore-verified backup whose file exists. */
export const GateProof = z.object({
  backupId: z.string(),
  /** The moment whose data it restores. */
  takenAt: z.iso.datetime(),
  /** When it was last restored and compared. */
  verifiedAt: z.iso.datetime(),
  changes: Changes,
});

/** `GET /projects/:hash/gate`: information only. The destructive request asks the gate again. */
export const GateAnswer = z.object({
  action: GateAction,
  /** Only of a push: with `refuse`, one that destroys data is refused when the decision is. */
  pushPolicy: PushPolicy.optional(),
  decision: z.enum(['cleared', 'refused']),
  tier: z.enum(TRUST_TIERS),
  label: z.string(),
  /** The reason for the decision, in one sentence. */
  guidance: z.string(),
  /** Which backup was examined, and the result. */
  detail: z.string(),
  /** The command that helps after a refusal. */
  command: z.string().nullable(),
  /** The newest backup, in whatever state. */
  backupId: z.string().nullable(),
  /** Null when no backup is restore-verified. Not always the newest backup, and not part of the decision. */
  proof: GateProof.nullable(),
  askedAt: z.iso.datetime(),
});
/** `GET /projects/:hash/gate` */
export type GateAnswer = z.infer<typeof GateAnswer>;
