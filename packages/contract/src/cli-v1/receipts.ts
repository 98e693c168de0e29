import * as z from 'zod';
import { PageQuery } from '../page.ts';
import * as receipt from '../receipt-answer.ts';
import type { Route } from '../route.ts';

const hash = z.object({ hash: z.string() });
const hashAndId = z.object({ hash: z.string(), id: z.string().describe('a backup id, or `latest`') });

/** Routes for existing clients: receipts and the keys that verify them. */
export const RECEIPT_ROUTES = {
  getReceipt: {
    method: 'GET',
    path: '/projects/:hash/backups/:id/receipt',
    summary: 'The signed receipt of a verification of a backup, by default the newest one',
    access: 'backup.read',
    params: hashAndId,
    query: z.object({ verification: z.uuid().optional() }),
    answer: receipt.ReceiptEnvelope,
    status: 200,
  },
  listReceipts: {
    method: 'GET',
    path: '/projects/:hash/receipts',
    summary: 'List the receipts of a project, newest first',
    access: 'backup.read',
    params: hash,
    query: PageQuery,
    answer: receipt.ReceiptList,
    status: 200,
  },
  listReceiptKeys: {
    method: 'GET',
    path: '/keys',
    summary: 'Public keys that verify receipts; also at /.well-known/flux-receipt-keys.json without a token',
    access: 'key.read',
    answer: receipt.ReceiptKeySet,
    status: 200,
  },
  rotateReceiptKey: {
    method: 'POST',
    path: '/keys/rotate',
    summary: 'Start signing with a new key; the old public key stays published',
    access: 'key.rotate',
    answer: receipt.ReceiptKeySet,
    status: 200,
  },
} as const satisfies Record<string, Route>;
