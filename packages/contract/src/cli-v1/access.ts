import * as z from 'zod';
import { AuditList, TokenList, WhoAmI } from '../access.ts';

/** `GET /auth/verify` */
export const Verified = WhoAmI.extend({ ok: z.literal(true), plan: z.literal('pro'), cliRole: z.enum(['admin', 'operator']) });

/** `GET /tokens` */
export const Tokens = TokenList.omit({ nextCursor: true });

/** `GET /audit`, newest first. */
export const Audit = AuditList.omit({ nextCursor: true });
