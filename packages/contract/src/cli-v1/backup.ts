import * as z from 'zod';
import { BackupAnswer, BackupDetails, BackupItem, BackupList, VerificationProof } from '../backup.ts';

/** One backup as existing clients read it. */
export const LegacyItem = BackupItem.extend({
  /** Left out when no offsite storage is set up. */
  offsiteStatus: z.enum(['pending', 'running', 'complete', 'failed']).optional(),
  /** `disabled`: no offsite storage is set up. `missing`: not there yet. */
  offsiteR2Status: z.enum(['uploaded', 'failed', 'missing', 'disabled']),
});
/** One backup as existing clients read it. */
export type LegacyItem = z.infer<typeof LegacyItem>;

/** `GET /projects/:hash/backups` */
export const LegacyList = BackupList.extend({ backups: z.array(LegacyItem) });

/** Every route that answers with one backup. */
export const LegacyAnswer = BackupAnswer.extend({ backup: LegacyItem });

/** `GET /projects/:hash/backups/:id` */
export const LegacyDetails = BackupDetails.extend({ backup: LegacyItem });

/** `POST /projects/:hash/backups/:id/verify`, when the backup is good. */
export const VerifyAnswer = z.object({
  ok: z.literal(true),
  backupId: z.string(),
  restoreVerificationStatus: z.literal('restore_verified'),
  proof: VerificationProof,
});
/** `POST /projects/:hash/backups/:id/verify`, when the backup is good. */
export type VerifyAnswer = z.infer<typeof VerifyAnswer>;
