import * as z from 'zod';
import { BackupScope } from './backup-scope.ts';
import { CAPABILITIES } from './capability.ts';
import { TRUST_TIERS } from './labels.ts';
import { PageQuery } from './page.ts';

const time = z.iso.datetime().describe('UTC, ISO 8601');

/** The engine of a project, called `mode` on the wire. */
export const Mode = z.enum(['v1_dedicated', 'v2_shared']);

/** What a project can do besides backups and pushes. */
const Capabilities = z.array(z.enum(CAPABILITIES));

/** `GET /projects`. `unfinished`: also those that are being created or removed; `removed`: those of which only the backups are left. */
export const ListProjectsQuery = PageQuery.extend({ which: z.enum(['active', 'unfinished', 'removed']).optional() });

/** One project, with the present state of its Postgres. */
export const ProjectSummary = z.object({
  slug: z.string(),
  hash: z.string(),
  status: z.enum(['running', 'stopped', 'partial', 'missing', 'corrupted']),
  lifecycle: z.enum(['creating', 'active', 'removing', 'removed']),
  mode: Mode,
  /** True for a database of the user's own, which Flux backs up but does not run. */
  attached: z.boolean(),
  /** Which part of an attached database is backed up; absent for all of it. */
  scope: BackupScope.optional(),
  /** What is wrong with the row of the project in the catalog, and what to do; absent when nothing is. */
  problem: z.string().optional(),
  capabilities: Capabilities,
  createdAt: time,
  removedAt: time.nullable(),
  /** How often the instance has crashed and been restarted. */
  restarts: z.number().int(),
  lastRestartAt: time.nullable(),
  /** Port of a dedicated instance on the control plane's machine. */
  port: z.number().int().nullable(),
  postgresVersion: z.string().nullable(),
});
/** One project, with the present state of its Postgres. */
export type ProjectSummary = z.infer<typeof ProjectSummary>;

/** A project in a list: also what its newest backup allows. */
const ListedSummary = ProjectSummary.extend({ tier: z.enum(TRUST_TIERS), label: z.string() });
/** A project in a list. */
export type ListedSummary = z.infer<typeof ListedSummary>;

/** `GET /projects` */
export const ProjectList = z.object({ projects: z.array(ListedSummary), nextCursor: z.string().nullable() });

/** What happens to a push that destroys data while the newest backup is not proven: the client asks, or the control plane refuses it. */
export const PushPolicy = z.enum(['ask', 'refuse']);
/** What happens to a push that destroys data while the newest backup is not proven. */
export type PushPolicy = z.infer<typeof PushPolicy>;

/** `GET /projects/:hash`: also its settings, and the schema that the project's API works on. */
export const ProjectAnswer = z.object({ project: ProjectSummary.extend({ apiSchema: z.string(), pushPolicy: PushPolicy }) });
/** `GET /projects/:hash` */
export type ProjectAnswer = z.infer<typeof ProjectAnswer>;

/** `POST /projects` */
export const CreateProjectRequest = z.strictObject({
  slug: z.string(),
  mode: Mode.optional(),
  /** URI of an existing database to attach as a v1 project; Flux does not run its server. */
  attach: z.string().optional(),
  /** Which part of the attached database is backed up; all of it when absent. */
  scope: BackupScope.optional(),
});
/** `POST /projects` */
export type CreateProjectRequest = z.infer<typeof CreateProjectRequest>;

/** `POST /projects/:hash/attach` */
export const AttachRequest = z.strictObject({
  /** The new URI of an attached database; the present one stays when absent. */
  uri: z.string().optional(),
  /** Which part of it is backed up from now on, null for all of it; as before when absent. */
  scope: BackupScope.nullable().optional(),
  /** Takes it although it is another database than before. */
  otherDatabase: z.boolean().optional(),
});
/** `POST /projects/:hash/attach` */
export type AttachRequest = z.infer<typeof AttachRequest>;

/** `POST /projects/:hash/settings` */
export const SetProjectRequest = z.strictObject({ pushPolicy: PushPolicy });
/** `POST /projects/:hash/settings` */
export type SetProjectRequest = z.infer<typeof SetProjectRequest>;

/** `POST /projects/link`: the project with this name, created when there is none. */
export const LinkRequest = z.strictObject({ slug: z.string(), mode: Mode.optional() });
/** `POST /projects/link` */
export const LinkAnswer = ProjectAnswer.extend({ action: z.enum(['linked', 'created']) });
/** `POST /projects/link` */
export type LinkAnswer = z.infer<typeof LinkAnswer>;

/** The parts of a Postgres URI. */
export const PostgresParts = z.object({
  user: z.string(),
  password: z.string(),
  host: z.string(),
  port: z.number().int(),
  database: z.string(),
});
/** The parts of a Postgres URI. */
export type PostgresParts = z.infer<typeof PostgresParts>;

/** `GET /projects/:hash/credentials`. All have the secret that signs API keys; a dedicated project has two such keys, a pooled one a note. */
export const CredentialsAnswer = z.object({
  mode: Mode,
  slug: z.string(),
  hash: z.string(),
  /** `url` is a URI that psql and pg_restore accept. */
  postgres: PostgresParts.extend({ url: z.string() }),
  anonKey: z.string().optional(),
  serviceRoleKey: z.string().optional(),
  projectJwtSecret: z.string().optional(),
  note: z.string().optional(),
});
/** `GET /projects/:hash/credentials` */
export type CredentialsAnswer = z.infer<typeof CredentialsAnswer>;

/**
 * `POST /projects/:hash/push`: raw when neither `migration` nor `repeatable` is given. `dryRun` runs everything and rolls it back.
 * `skipBackupCheck` overrides the policy `refuse`, and needs an admin token; its `reason` is recorded in the audit log.
 */
export const PushRequest = z.strictObject({
  sql: z.string(),
  filename: z.string().optional(),
  dryRun: z.boolean().optional(),
  skipBackupCheck: z.boolean().optional(),
  reason: z.string().max(500).optional(),
  migration: z.strictObject({ version: z.string(), filename: z.string(), checksum: z.string() }).optional(),
  repeatable: z
    .strictObject({ scriptId: z.string(), filename: z.string(), checksum: z.string(), force: z.boolean().optional() })
    .optional(),
});
/** `POST /projects/:hash/push` */
export type PushRequest = z.infer<typeof PushRequest>;

/** `POST /projects/:hash/push` */
export const PushAnswer = z.object({
  skipped: z.boolean().optional(),
  previousChecksum: z.string().optional(),
  warnings: z.array(z.string()).optional(),
  statements: z.number().int(),
});
/** `POST /projects/:hash/push` */
export type PushAnswer = z.infer<typeof PushAnswer>;

/** One row of the ledger `flux.flux_migrations`. */
export const AppliedMigration = z.object({
  version: z.string(),
  filename: z.string(),
  /** SHA-256 of the file, lowercase hex. */
  checksum: z.string(),
  appliedAt: time,
});
/** One row of the ledger. */
export type AppliedMigration = z.infer<typeof AppliedMigration>;

/** `GET /projects/:hash/migrations`, in the order of the ledger. */
export const MigrationList = z.object({ applied: z.array(AppliedMigration), nextCursor: z.string().nullable() });

/** Body of every destructive request: `skipBackupCheck` overrides the gate; its `reason` is recorded in the audit log. */
export const DestroyRequest = z
  .strictObject({ skipBackupCheck: z.boolean().optional(), reason: z.string().max(500).optional() })
  .optional();
/** Body of every destructive request. */
export type DestroyRequest = z.infer<typeof DestroyRequest>;

/** Result of a reset. The old data is kept for an undo. */
export const ResetAnswer = z.object({
  ok: z.literal(true),
  hash: z.string(),
  previousKeptAs: z.string().nullable(),
  previousKeptUntil: z.iso.datetime().nullable(),
  outageMs: z.number(),
});
/** Result of a reset. */
export type ResetAnswer = z.infer<typeof ResetAnswer>;
