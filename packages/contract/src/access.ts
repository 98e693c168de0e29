import * as z from 'zod';
import { PageQuery } from './page.ts';
import { ACCESS_LEVELS } from './token.ts';

const time = z.iso.datetime().describe('UTC, ISO 8601');

/** `GET /me` */
export const WhoAmI = z.object({
  user: z.string(),
  defaultMode: z.enum(['v1_dedicated', 'v2_shared']),
  token: z.object({
    name: z.string(),
    access: z.enum(ACCESS_LEVELS),
    /** Hashes; null means all of the user's projects. */
    projects: z.array(z.string()).nullable(),
    expiresAt: time.nullable(),
  }),
});
/** `GET /me` */
export type WhoAmI = z.infer<typeof WhoAmI>;

/** One token in a list, without the token itself. `projects` are hashes; null means all of the user's projects. */
export const TokenItem = z.object({
  id: z.string(),
  name: z.string(),
  access: z.enum(ACCESS_LEVELS),
  projects: z.array(z.string()).nullable(),
  createdAt: time,
  expiresAt: time.nullable(),
  lastUsedAt: time.nullable(),
  revokedAt: time.nullable(),
});
/** One token in a list. */
export type TokenItem = z.infer<typeof TokenItem>;

/** `POST /tokens` */
export const CreateTokenRequest = z.strictObject({
  name: z.string().min(1).max(100),
  access: z.enum(ACCESS_LEVELS).default('write'),
  projects: z.array(z.string()).min(1).nullable().default(null),
  expiresAt: time.nullable().default(null),
});
/** `POST /tokens` */
export type CreateTokenRequest = z.input<typeof CreateTokenRequest>;

/** `POST /tokens`, 201: the only time the token is seen. */
export const CreateTokenAnswer = z.object({ token: z.string(), item: TokenItem });
/** `POST /tokens`, 201 */
export type CreateTokenAnswer = z.infer<typeof CreateTokenAnswer>;

/** `GET /tokens` */
export const TokenList = z.object({ tokens: z.array(TokenItem), nextCursor: z.string().nullable() });
/** `GET /tokens` */
export type TokenList = z.infer<typeof TokenList>;

/** One line of the audit log: who did what, when. `user` and `token` are null for what the control plane did on its own. */
export const AuditEvent = z.object({
  id: z.number().int(),
  at: time,
  action: z.string(),
  user: z.string().nullable(),
  token: z.string().nullable(),
  project: z.string().nullable(),
  subject: z.string().nullable(),
  details: z.record(z.string(), z.unknown()),
});
/** One line of the audit log. */
export type AuditEvent = z.infer<typeof AuditEvent>;

/** `GET /audit`, newest first. */
export const AuditList = z.object({ events: z.array(AuditEvent), nextCursor: z.string().nullable() });

/** `GET /audit`: for one project, or for everything that the user's tokens and projects did. */
export const AuditQuery = PageQuery.extend({ project: z.string().optional().describe('hash of a project') });
