import * as z from 'zod';
import { TRUST_TIERS } from './labels.ts';

/** What the gate can be asked about. A push is not behind the gate; it is told the same answer. */
export const GateAction = z.enum(['push', 'nuke', 'reset', 'restore_in_place', 'migrate_drop_source', 'delete_last_verified']);
/** What the gate can be asked about. */
export type GateAction = z.infer<typeof GateAction>;

/** `GET /projects/:hash/gate`: what somebody wants to do; with `delete_last_verified`, to which backup (an id, or `latest`). */
export const GateQuestion = z.object({ action: GateAction, backup: z.string().optional() });

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
});
/** `GET /projects/:hash/gate` */
export type GateAnswer = z.infer<typeof GateAnswer>;
