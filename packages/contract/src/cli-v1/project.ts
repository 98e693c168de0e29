import * as z from 'zod';
import { DoctorAnswer } from '../doctor.ts';
import { CredentialsAnswer, Mode, ProjectSummary, PushAnswer, PushRequest } from '../project.ts';

/** `GET /list`: without `unfinished`, projects that are being created or removed are left out; `removed` lists those that were removed. */
export const ListQuery = z.object({
  removed: z.enum(['true', 'false']).optional(),
  unfinished: z.enum(['true', 'false']).optional(),
});

/** One row of `GET /list`. */
export const ListedProject = ProjectSummary.extend({
  apiUrl: z.string(),
  /** `archived`: removed, with its backups still there. */
  lifecycleState: z.enum(['active', 'dormant', 'archived']),
});
/** One row of `GET /list`. */
export type ListedProject = z.infer<typeof ListedProject>;

/** `POST /create` */
export const CreateRequest = z.strictObject({
  name: z.string(),
  mode: Mode.optional(),
  /** URI of an existing database to attach as a v1 project; Flux does not run its server. */
  attach: z.string().optional(),
});

/** `POST /create`, 201 */
export const CreateAnswer = z.object({
  summary: ListedProject,
  mode: Mode,
  projectJwtSecret: z.string().optional(),
  secrets: z.object({
    pgrstJwtSecret: z.string(),
    postgresPassword: z.string(),
    postgresContainerHost: z.string(),
    note: z.string(),
  }),
});

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

/** `GET /projects/:hash` */
export const ProjectAnswer = z.object({
  slug: z.string(),
  hash: z.string(),
  mode: Mode,
  apiSchema: z.string(),
});

/** `GET /projects/:hash/credentials` */
export const Credentials = CredentialsAnswer.extend({ postgresConnectionString: z.string() });

/** `POST /push`: the body of our own API, plus the project. */
export const LegacyPushRequest = PushRequest.extend({ slug: z.string(), hash: z.string() });

/** `POST /push`. Nothing is ever moved; existing clients read the three counts. */
export const LegacyPushAnswer = PushAnswer.extend({
  ok: z.literal(true),
  tablesMoved: z.literal(0),
  sequencesMoved: z.literal(0),
  viewsMoved: z.literal(0),
});
/** `POST /push` */
export type LegacyPushAnswer = z.infer<typeof LegacyPushAnswer>;

/** `DELETE /projects/:hash` and `DELETE /projects/:hash/backups/:id`: `skipBackupCheck` overrides the gate. */
export const DestroyQuery = z.strictObject({
  skipBackupCheck: z.enum(['true', 'false', '1', '0']).optional(),
  reason: z.string().max(500).optional(),
});

/** `POST /projects/:hash/lifecycle` */
export const LifecycleRequest = z.strictObject({ action: z.enum(['start', 'stop']) });

/** `POST /projects/:hash/start`, `/stop` and `/lifecycle` */
export const PowerAnswer = z.object({ ok: z.literal(true), summary: ListedProject });

/** One finding of an examination as existing clients read it. */
const Check = z.object({
  name: z.string(),
  status: z.enum(['pass', 'warn', 'fail']),
  detail: z.string(),
  remediation: z.string().optional(),
});

/** `POST /projects/:hash/doctor`: our own findings, and the same as a report of checks. */
export const DoctorReport = DoctorAnswer.extend({
  projectSlug: z.string(),
  hash: z.string(),
  mode: Mode,
  schema: z.string(),
  checks: z.array(Check),
  /** The worst of all checks. */
  overallStatus: Check.shape.status,
  generatedAt: z.iso.datetime(),
});
/** `POST /projects/:hash/doctor` */
export type DoctorReport = z.infer<typeof DoctorReport>;

/** `POST /api/projects/:slug/push`: as `POST /push`; the slug is in the path. */
export const ProjectPushRequest = PushRequest.extend({ hash: z.string() });

/** `DELETE /projects/:hash` */
export const RemoveAnswer = z.object({ ok: z.literal(true), mode: z.literal('catalog'), hash: z.string(), removed: z.boolean() });
