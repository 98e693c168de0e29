import * as z from 'zod';

const time = z.iso.datetime().describe('UTC, ISO 8601');

/** How a project lives in Postgres, on the wire called `mode`. */
export const Mode = z.enum(['v1_dedicated', 'v2_shared']);

/** What a project can do beyond backups and pushes, for example `power` (start and stop), `staging` (restore in place), `undo`. */
const Capabilities = z.array(z.string());

/** `GET /list`: without `unfinished`, projects that are being made or removed are left out; `removed` lists those that were removed. */
export const ListQuery = z.object({
  removed: z.enum(['true', 'false']).optional(),
  unfinished: z.enum(['true', 'false']).optional(),
});

/** One row of `GET /list`. */
export const ProjectSummary = z.object({
  slug: z.string(),
  hash: z.string(),
  status: z.enum(['running', 'stopped', 'partial', 'missing', 'corrupted']),
  apiUrl: z.string(),
  /** What existing clients know. `archived`: removed, with its backups still there. */
  lifecycleState: z.enum(['active', 'dormant', 'archived']),
  lifecycle: z.enum(['creating', 'active', 'removing', 'removed']),
  mode: Mode,
  /** True for a database of the user's that Flux backs up but does not run. */
  attached: z.boolean(),
  capabilities: Capabilities,
  createdAt: time,
  removedAt: time.nullable(),
  /** How often the instance died and was started again since the control plane first ran it. */
  restarts: z.number().int(),
  lastRestartAt: time.nullable(),
  /** Port of a dedicated instance on the control plane's machine. */
  port: z.number().int().nullable(),
  postgresVersion: z.string().nullable(),
});
/** One row of `GET /list`. */
export type ProjectSummary = z.infer<typeof ProjectSummary>;

/** `POST /create` */
export const CreateProjectRequest = z.strictObject({
  name: z.string(),
  mode: Mode.optional(),
  /** URI of an existing database that becomes a v1 project which Flux does not run. */
  attach: z.string().optional(),
});
/** `POST /create` */
export type CreateProjectRequest = z.infer<typeof CreateProjectRequest>;

/** `POST /create`, 201 */
export const CreateProjectAnswer = z.object({
  summary: ProjectSummary,
  mode: Mode,
  projectJwtSecret: z.string().optional(),
  secrets: z.object({
    pgrstJwtSecret: z.string(),
    postgresPassword: z.string(),
    postgresContainerHost: z.string(),
    note: z.string(),
  }),
});
/** `POST /create`, 201 */
export type CreateProjectAnswer = z.infer<typeof CreateProjectAnswer>;

/** `POST /init` */
export const InitRequest = z.strictObject({ slug: z.string(), mode: Mode.optional() });
/** `POST /init` */
export const InitAnswer = z.object({
  action: z.enum(['linked', 'created']),
  slug: z.string(),
  hash: z.string(),
  mode: Mode,
  apiUrl: z.string(),
  apiSchema: z.string(),
});
/** `POST /init` */
export type InitAnswer = z.infer<typeof InitAnswer>;

/** `GET /projects/:hash` */
export const ProjectAnswer = z.object({
  slug: z.string(),
  hash: z.string(),
  mode: Mode,
  apiSchema: z.string(),
  capabilities: Capabilities,
});
/** `GET /projects/:hash` */
export type ProjectAnswer = z.infer<typeof ProjectAnswer>;

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

/** `GET /projects/:hash/credentials`. v1 carries the keys, v2 the note; both carry the URI. */
export const CredentialsAnswer = z.object({
  mode: Mode,
  slug: z.string(),
  hash: z.string(),
  postgresConnectionString: z.string(),
  postgres: PostgresParts,
  anonKey: z.string().optional(),
  serviceRoleKey: z.string().optional(),
  projectJwtSecret: z.string().optional(),
  note: z.string().optional(),
});
/** `GET /projects/:hash/credentials` */
export type CredentialsAnswer = z.infer<typeof CredentialsAnswer>;

/** `POST /push`: raw when neither `migration` nor `repeatable` is given. `dryRun` runs everything and rolls it back. */
export const PushRequest = z.strictObject({
  slug: z.string(),
  hash: z.string(),
  sql: z.string(),
  filename: z.string().optional(),
  dryRun: z.boolean().optional(),
  migration: z.strictObject({ version: z.string(), filename: z.string(), checksum: z.string() }).optional(),
  repeatable: z
    .strictObject({ scriptId: z.string(), filename: z.string(), checksum: z.string(), force: z.boolean().optional() })
    .optional(),
});
/** `POST /push` */
export type PushRequest = z.infer<typeof PushRequest>;

/** `POST /push` */
export const PushAnswer = z.object({
  ok: z.literal(true),
  skipped: z.boolean().optional(),
  previousChecksum: z.string().optional(),
  warnings: z.array(z.string()).optional(),
  statements: z.number().int(),
  tablesMoved: z.literal(0),
  sequencesMoved: z.literal(0),
  viewsMoved: z.literal(0),
});
/** `POST /push` */
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

/** `GET /projects/:hash/migrations` */
export const MigrationsAnswer = z.object({ applied: z.array(AppliedMigration) });
/** `GET /projects/:hash/migrations` */
export type MigrationsAnswer = z.infer<typeof MigrationsAnswer>;

/** `POST /projects/:hash/reset`. `skipBackupCheck` goes on without proof and needs a `reason`. */
export const ResetRequest = z.strictObject({ skipBackupCheck: z.boolean().optional(), reason: z.string().max(500).optional() }).optional();
/** `POST /projects/:hash/reset` */
export type ResetRequest = z.infer<typeof ResetRequest>;

/** `POST /projects/:hash/reset`. What was there is kept for an undo. */
export const ResetAnswer = z.object({
  ok: z.literal(true),
  hash: z.string(),
  previousKeptAs: z.string().nullable(),
  previousKeptUntil: z.iso.datetime().nullable(),
  outageMs: z.number(),
});
/** `POST /projects/:hash/reset` */
export type ResetAnswer = z.infer<typeof ResetAnswer>;

/** `DELETE /projects/:hash` and `DELETE /projects/:hash/backups/:id`: `skipBackupCheck` goes on without proof and needs `reason`. */
export const DestroyQuery = z.strictObject({
  skipBackupCheck: z.enum(['true', 'false', '1', '0']).optional(),
  reason: z.string().max(500).optional(),
});

/** `DELETE /projects/:hash` */
export const NukeAnswer = z.object({ ok: z.literal(true), mode: z.literal('catalog'), hash: z.string(), removed: z.boolean() });
/** `DELETE /projects/:hash` */
export type NukeAnswer = z.infer<typeof NukeAnswer>;
