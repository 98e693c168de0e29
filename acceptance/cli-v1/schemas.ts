import * as z from 'zod';

/*
 * What existing clients read, written from the published contract alone: none of it comes from the code that answers. More members may be
 * added, so the objects are open; a member without a value is absent, so nothing here is nullable, and `expectNoNull` looks at the rest.
 */

const text = z.string().min(1);
const time = z.iso.datetime();
const count = z.number().int().nonnegative();
const hash = z.string().regex(/^[0-9a-f]{7}$/);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const mode = z.enum(['v1_dedicated', 'v2_shared']);

const TIERS = [
  'restorable',
  'not_restore_verified',
  'restore_failed',
  'artifact_pending',
  'pipeline_incomplete',
  'latest_not_complete',
  'no_backups',
] as const;

/** `GET /auth/verify` */
export const Verified = z.looseObject({
  ok: z.literal(true),
  user: text,
  plan: z.literal('pro'),
  defaultMode: mode,
  cliRole: z.enum(['admin', 'operator']),
});

/** A row of `GET /list`, and the `summary` of a new project. */
const Row = z.looseObject({
  slug: text,
  hash,
  status: z.enum(['running', 'stopped', 'partial', 'missing', 'corrupted']),
  apiUrl: z.url(),
  lifecycleState: z.enum(['active', 'dormant', 'archived']),
});
/** `GET /list` */
export const List = z.array(Row);

/** `POST /create` */
export const Created = z.looseObject({
  summary: Row,
  mode,
  projectJwtSecret: text.optional(),
  secrets: z.looseObject({ pgrstJwtSecret: text, postgresPassword: text, postgresContainerHost: text, note: text }),
});

/** `POST /init` */
export const Linked = z.looseObject({ action: z.enum(['linked', 'created']), slug: text, hash, mode, apiUrl: z.url(), apiSchema: text });

/** `GET /projects/:hash` */
export const Project = z.looseObject({ slug: text, hash, mode, apiSchema: text });

/** `DELETE /projects/:hash` */
export const Removed = z.looseObject({ ok: z.literal(true), mode: z.literal('catalog'), hash, removed: z.boolean() });

/** `GET /projects/:hash/credentials` */
export const Credentials = z.discriminatedUnion('mode', [
  z.looseObject({
    mode: z.literal('v1_dedicated'),
    slug: text,
    hash,
    postgresConnectionString: z.string().startsWith('postgresql://'),
    anonKey: text,
    serviceRoleKey: text,
  }),
  z.looseObject({
    mode: z.literal('v2_shared'),
    slug: text,
    hash,
    projectJwtSecret: text,
    note: text,
    postgresConnectionString: z.string().startsWith('postgresql://'),
  }),
]);

/** One backup. */
export const Item = z.looseObject({
  id: z.uuid(),
  kind: z.enum(['project_db', 'tenant_export']),
  format: z.literal('pg_custom'),
  status: z.enum(['queued', 'running', 'complete', 'failed']),
  sizeBytes: count.optional(),
  checksumSha256: sha256.optional(),
  createdAt: time,
  completedAt: time.optional(),
  tier: z.enum(TIERS),
  label: text,
  localArtifactStatus: z.enum(['present', 'missing']),
  primaryArtifactRelativePath: text.optional(),
  artifactValidationStatus: z.enum(['pending', 'artifact_valid', 'artifact_invalid']),
  artifactValidationAt: time.optional(),
  artifactValidationError: text.optional(),
  restoreVerificationStatus: z.enum(['pending', 'restore_verified', 'restore_failed', 'skipped']),
  restoreVerificationAt: time.optional(),
  restoreVerificationError: text.optional(),
  offsiteStatus: z.enum(['pending', 'running', 'complete', 'failed']).optional(),
  offsiteR2Status: z.enum(['uploaded', 'failed', 'missing', 'disabled']),
  expiresAt: time.optional(),
  pinned: z.boolean(),
  note: text.optional(),
  postgresVersion: text.optional(),
});

/** A backup that has been made: what an artifact has is there. */
const CompleteItem = Item.required({ sizeBytes: true, checksumSha256: true, completedAt: true, postgresVersion: true }).extend({
  status: z.literal('complete'),
});

/** `GET /projects/:hash/backups` */
export const Backups = z.looseObject({
  backups: z.array(Item),
  reconciledAt: time,
  nextCursor: text.optional(),
  freshness: z.looseObject({ tier: z.enum(TIERS), label: text, verification: text, safeDestructiveActions: text }),
});

/** `POST /projects/:hash/backups` */
export const FreshBackup = z.looseObject({ backup: CompleteItem });

/** `POST /projects/:hash/backups/:id/verify` */
export const VerifiedBackup = z.looseObject({
  ok: z.literal(true),
  backupId: z.uuid(),
  restoreVerificationStatus: z.literal('restore_verified'),
});

/** `POST /push`, and `POST /api/projects/:slug/push` */
export const Pushed = z.looseObject({
  ok: z.literal(true),
  skipped: z.boolean().optional(),
  previousChecksum: sha256.optional(),
  warnings: z.array(text).optional(),
  tablesMoved: z.literal(0),
  sequencesMoved: z.literal(0),
  viewsMoved: z.literal(0),
});

/** `GET /projects/:hash/migrations`, and `GET /api/projects/:slug/migrations` */
export const Migrations = z.looseObject({
  applied: z.array(z.looseObject({ version: text, filename: text, checksum: sha256, appliedAt: time })),
});

/** `GET /health` */
export const Health = z.looseObject({ ok: z.literal(true), version: text });

/** `202` to a client that prefers so, and `GET /operations/:id` */
export const Operation = z.looseObject({
  id: z.uuid(),
  kind: text,
  state: z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']),
});

/** Every error. */
export const Problem = z.looseObject({
  type: text,
  title: text,
  status: z.number().int(),
  detail: text,
  error: text,
  code: text,
  hint: text.optional(),
  requestId: text,
});

/** Paths of all members that are null. */
export function nullsIn(value: unknown, path = '$'): string[] {
  if (value === null) return [path];
  if (typeof value !== 'object') return [];
  return Object.entries(value as object).flatMap(([name, member]) => nullsIn(member, `${path}.${name}`));
}
