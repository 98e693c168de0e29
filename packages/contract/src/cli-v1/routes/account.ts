import * as z from 'zod';
import * as access from '../../access.ts';
import { DoctorAnswer } from '../../doctor.ts';
import type { Route } from '../../route.ts';
import * as legacyAccess from '../access.ts';

const id = z.object({ id: z.string() });
const ok = z.object({ ok: z.literal(true) });

/** Routes for existing clients that are not about a single project. */
export const ACCOUNT_ROUTES = {
  verifyToken: {
    method: 'GET',
    path: '/auth/verify',
    summary: 'The user and token of the caller',
    access: 'account.read',
    answer: legacyAccess.Verified,
    status: 200,
  },
  listTokens: { method: 'GET', path: '/tokens', summary: 'List tokens', access: 'token.list', answer: legacyAccess.Tokens, status: 200 },
  createToken: {
    method: 'POST',
    path: '/tokens',
    summary: 'Create a token',
    access: 'token.create',
    body: access.CreateTokenRequest,
    answer: access.CreateTokenAnswer,
    status: 201,
  },
  revokeToken: {
    method: 'DELETE',
    path: '/tokens/:id',
    summary: 'Revoke a token',
    access: 'token.revoke',
    params: id,
    answer: ok,
    status: 200,
  },
  listAudit: {
    method: 'GET',
    path: '/audit',
    summary: 'The audit log, newest first',
    access: 'audit.read',
    query: z.object({ limit: z.coerce.number().int().min(1).max(1000).optional(), hash: z.string().optional() }),
    answer: legacyAccess.Audit,
    status: 200,
  },
  examineServer: {
    method: 'GET',
    path: '/doctor',
    summary: 'Check what would prevent a restore today, on the server and in all projects',
    access: 'server.examine',
    answer: DoctorAnswer,
    status: 200,
  },
} as const satisfies Record<string, Route>;
