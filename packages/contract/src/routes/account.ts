import * as z from 'zod';
import * as access from '../access.ts';
import { DoctorAnswer } from '../doctor.ts';
import { ENDPOINTS } from '../endpoints.ts';
import { PageQuery } from '../page.ts';
import * as receipt from '../receipt-answer.ts';
import type { Route } from '../route.ts';
import { idParams } from './parts.ts';

/** Routes that are not about a single project: the caller, tokens, audit, doctor, receipt keys. */
export const ACCOUNT_ROUTES = {
  whoAmI: { ...ENDPOINTS.whoAmI, summary: 'The user and token of the caller', access: 'account.read', answer: access.WhoAmI, status: 200 },
  listTokens: {
    ...ENDPOINTS.listTokens,
    summary: 'List tokens, newest first',
    access: 'token.list',
    query: PageQuery,
    answer: access.TokenList,
    status: 200,
  },
  createToken: {
    ...ENDPOINTS.createToken,
    summary: 'Create a token',
    access: 'token.create',
    body: access.CreateTokenRequest,
    answer: access.CreateTokenAnswer,
    status: 201,
  },
  revokeToken: {
    ...ENDPOINTS.revokeToken,
    summary: 'Revoke a token',
    access: 'token.revoke',
    ...idParams,
    answer: z.object({ id: z.string() }),
    status: 200,
  },
  listAudit: {
    ...ENDPOINTS.listAudit,
    summary: 'The audit log, newest first',
    access: 'audit.read',
    query: access.AuditQuery,
    answer: access.AuditList,
    status: 200,
  },
  examineServer: {
    ...ENDPOINTS.examineServer,
    summary: 'Check what would prevent a restore today, on the server and in all projects',
    access: 'server.examine',
    answer: DoctorAnswer,
    status: 200,
  },
  listReceiptKeys: {
    ...ENDPOINTS.listReceiptKeys,
    summary: 'Public keys that verify receipts; also at /.well-known/flux-receipt-keys.json without a token',
    access: 'key.read',
    answer: receipt.ReceiptKeySet,
    status: 200,
  },
  rotateReceiptKey: {
    ...ENDPOINTS.rotateReceiptKey,
    summary: 'Start signing with a new key; the old public key stays published',
    access: 'key.rotate',
    answer: receipt.ReceiptKeySet,
    status: 200,
  },
} as const satisfies Record<string, Route>;
