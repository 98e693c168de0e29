import * as z from 'zod';
import { TRUST_TIERS } from './labels.ts';

/** What the gate can be asked about. A push is not behind the gate; it is told the same answer. */
export const GateAction = z.enum(['push', 'nuke', 'reset', 'restore_in_place', 'migrate_drop_source', 'delete_last_verified']);
/** What the gate can be asked about. */
export type GateAction = z.infer<typeof GateAction>;

/** `GET /projects/:hash/gate`: what somebody wants to do; with `delete_last_verified`, to which backup (an id, or `latest`). */
export const GateQuestion = z.object({ action: GateAction, backup: z.string().optional() });

const count = z.number().int().nonnegative();

/** What has changed since a backup by Postgres's own counters, which also count rows that were rolled back; or why that is not known. */
export const Changes = z.union([
  z.object({
    known: z.literal(true),
    rowsInserted: count,
    rowsUpdated: count,
    rowsDeleted: count,
    tablesCreated: count,
    tablesDropped: count,
    /** Emptied by TRUNCATE, or written anew by VACUUM FULL, CLUSTER or ALTER TABLE. */
    tablesRewritten: count,
  }),
  z.object({ known: z.literal(false), why: z.string() }),
]);
/** What has changed since a backup, or why that is not known. */
export type Changes = z.infer<typeof Changes>;

/** The newest backup that was proven and whose file is there: how old the way back is. */
export const GateProof = z.object({
  backupId: z.string(),
  /** The moment that it brings back. */
  takenAt: z.iso.datetime(),
  /** When it was last restored and compared. */
  verifiedAt: z.iso.datetime(),
  changes: Changes,
});

/** `GET /projects/:hash/gate`: information for whoever decides. The deed itself asks the gate again. */
export const GateAnswer = z.object({
  action: GateAction,
  decision: z.enum(['cleared', 'refused']),
  tier: z.enum(TRUST_TIERS),
  label: z.string(),
  /** What is the matter, in a sentence. */
  guidance: z.string(),
  /** Which backup was looked at, and what was seen. */
  detail: z.string(),
  /** What to type after a refusal. */
  command: z.string().nullable(),
  /** The newest backup, whatever became of it. */
  backupId: z.string().nullable(),
  /** Null when there is no proven backup at all. It is not always the newest one, and never decides. */
  proof: GateProof.nullable(),
  askedAt: z.iso.datetime(),
});
/** `GET /projects/:hash/gate` */
export type GateAnswer = z.infer<typeof GateAnswer>;
