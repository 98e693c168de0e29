import * as z from 'zod';
import { TRUST_TIERS } from './labels.ts';

const time = z.iso.datetime().describe('UTC, ISO 8601');
const optionalTime = time.nullable();
/** Sizes are 64-bit on the server; JSON numbers carry them exactly up to 2^53. */
const bytes = z.number().int().nonnegative();

/** Something of the source that a restore of the backup does not bring back, with the reason in sentences. */
export const LeftOut = z.object({ kind: z.string(), name: z.string(), reason: z.string() });
/** Something of the source that a restore of the backup does not bring back. */
export type LeftOut = z.infer<typeof LeftOut>;

/** One backup as the wire shows it. `primaryArtifactRelativePath` is left out while there is no artifact, and for tokens below `admin`. */
export const BackupItem = z.object({
  id: z.string(),
  kind: z.enum(['project_db', 'tenant_export']),
  format: z.literal('pg_custom'),
  status: z.enum(['queued', 'running', 'complete', 'failed']),
  sizeBytes: bytes.nullable(),
  checksumSha256: z.string().nullable(),
  createdAt: time,
  completedAt: optionalTime,
  tier: z.enum(TRUST_TIERS),
  label: z.string(),
  /** Whether a file exists. `artifactValidationStatus` says whether it is the right one. */
  localArtifactStatus: z.enum(['present', 'missing']),
  primaryArtifactRelativePath: z.string().optional(),
  /** Also `artifact_invalid` while the file is missing, has another size or is unreadable; the error says which. */
  artifactValidationStatus: z.enum(['pending', 'artifact_valid', 'artifact_invalid']),
  artifactValidationAt: optionalTime,
  artifactValidationError: z.string().nullable(),
  /** `skipped`: the artifact is not valid, so an earlier verification no longer applies. */
  restoreVerificationStatus: z.enum(['pending', 'restore_verified', 'restore_failed', 'skipped']),
  restoreVerificationAt: optionalTime,
  restoreVerificationError: z.string().nullable(),
  /** Error of the newest inconclusive verification; it does not change the label. */
  lastVerificationProblem: z.string().nullable(),
  offsiteStatus: z.enum(['not_configured', 'pending', 'replicated', 'failed']),
  expiresAt: optionalTime,
  pinned: z.boolean(),
  note: z.string().nullable(),
  /**
   * `safety`: taken by an operation that was about to replace the data. A restore of the latest backup does not mean it. `imported`: made
   * elsewhere; never the latest backup, and no way back for the data of the project.
   */
  origin: z.enum(['requested', 'safety', 'imported']),
  postgresVersion: z.string().nullable(),
  /** Why a backup with status `failed` failed. */
  failure: z.string().nullable(),
  /** When and by whom the file was deleted; null while it was not. */
  deletedAt: optionalTime,
  deletedBy: z.string().nullable(),
  /** Engine of the project when the backup was created. */
  engine: z.enum(['v1_dedicated', 'v2_shared']),
  tables: z.number().int().nullable(),
  rows: z.number().int().nullable(),
  /** What a restore does not bring back, as known so far: when it was created, and by the newest verification. */
  leftOut: z.array(LeftOut).default([]),
});
/** One backup as the wire shows it. */
export type BackupItem = z.infer<typeof BackupItem>;

/** The summary at the top of a list: the state of the newest backup. */
export const Freshness = z.object({
  latestBackupId: z.string().nullable(),
  latestAt: optionalTime,
  tier: z.enum(TRUST_TIERS),
  label: z.string(),
  verification: z.string(),
  safeDestructiveActions: z.string(),
});
/** The state of the newest backup of a project. */
export type Freshness = z.infer<typeof Freshness>;

/** `GET /projects/:hash/backups` */
export const BackupList = z.object({
  backups: z.array(BackupItem),
  reconciledAt: time,
  nextCursor: z.string().nullable(),
  freshness: Freshness,
});
/** `GET /projects/:hash/backups` */
export type BackupList = z.infer<typeof BackupList>;

/** `POST /projects/:hash/backups` */
export const CreateBackupRequest = z.strictObject({ note: z.string().max(500).optional() }).optional();
/** Longest time that a verification may be given, in milliseconds. */
export const MAX_VERIFY_MS = 24 * 3_600_000;
/** `POST /projects/:hash/backups/:id/verify` */
export const VerifyRequest = z
  .strictObject({
    /** Instead of the time that follows from the size; needs an admin token that is not limited to projects. */
    timeLimitMs: z.int().min(1000).max(MAX_VERIFY_MS).optional(),
  })
  .optional();
/** `POST /projects/:hash/backups/import`; the body is the file itself. */
export const ImportBackupQuery = z.strictObject({
  /** Of the file, lowercase hex: what arrived is compared with it. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  note: z.string().max(500).optional(),
  /** Name of the file, for the note when none is given. */
  name: z.string().max(255).optional(),
});

/** `POST /projects/:hash/backups` */
export const BackupAnswer = z.object({ backup: BackupItem });
/** `POST /projects/:hash/backups` */
export type BackupAnswer = z.infer<typeof BackupAnswer>;

/** One finding of the comparison between a restore and its manifest. */
export const Difference = z.object({
  /**
   * `failure`: a restore must reproduce it. `prerequisite`: left out of a tenant export by design. `not_compared`: could not be compared.
   * `left_out`: a restore does not bring it back. The last three are reported and do not make a verification fail.
   */
  judgement: z.enum(['failure', 'prerequisite', 'not_compared', 'left_out']),
  kind: z.string(),
  name: z.string(),
  change: z.enum(['missing', 'extra', 'changed', 'unknown']),
  expected: z.string().nullable(),
  found: z.string().nullable(),
});
/** One finding of the comparison between a restore and its manifest. */
export type Difference = z.infer<typeof Difference>;

/** What one verification proved, or why it could not. */
export const VerificationProof = z.object({
  verificationId: z.string(),
  backupId: z.string(),
  verdict: z.enum(['restorable', 'failed', 'inconclusive']),
  /**
   * With `failed`: what is to blame. `file`: its bytes are not those that were dumped, and another backup is of use. `source`: the bytes
   * are those that were dumped and do not come back, and another backup ends in the same way until the source has been corrected.
   */
  failedBy: z.enum(['file', 'source']).optional(),
  /** One sentence for people. */
  summary: z.string(),
  postgresVersion: z.string().nullable(),
  sandbox: z.string().nullable(),
  artifactSha256: z.string().nullable(),
  tablesCompared: z.number().int(),
  rowsCompared: z.number().int(),
  bytesRead: bytes,
  /** How many objects of each kind were compared: index, constraint, policy, grant, sequence, function, extension... */
  objectsCompared: z.record(z.string(), z.number().int()),
  differences: z.array(Difference),
  /** The last lines of pg_restore's output when it failed; what it warned of when it succeeded, null when that is nothing. */
  toolOutput: z.string().nullable(),
  durationMs: z.number(),
  phasesMs: z.record(z.string(), z.number()),
  receiptId: z.string().nullable(),
});
/** What one verification proved, or why it could not. */
export type VerificationProof = z.infer<typeof VerificationProof>;

/** `GET /projects/:hash/backups/:id`: the item with the details that only `flux backup show` prints. */
export const BackupDetails = z.object({
  backup: BackupItem,
  /** SQL that recreates what a tenant export leaves out: roles, extensions, public types, grants. Null for project_db. */
  prerequisitesSql: z.string().nullable(),
  verifications: z.array(VerificationProof),
});
/** `GET /projects/:hash/backups/:id` */
export type BackupDetails = z.infer<typeof BackupDetails>;
