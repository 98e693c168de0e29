import type { VerificationId } from '@flux/contract/ids';
import { ROUTES } from '@flux/contract/routes';
import type { FastifyInstance } from 'fastify';
import { publishKeys, rotateSigningKey } from '../backups/receipt/keys.ts';
import { findBackupReceipt, listProjectReceipts } from '../backups/receipt/read.ts';
import { parseBackupSelector } from '../backups/select.ts';
import type { ApiDoors } from './doors.ts';
import { type Router, requireProject } from './router.ts';

/** Signed receipts of verifications, and the keys that they are signed with. */
export function registerReceiptRoutes(router: Router, doors: ApiDoors): void {
  const { db } = doors.catalog;
  router.json(ROUTES.getReceipt, async ({ principal, params, query }) => {
    const project = await requireProject(doors, principal, params.hash);
    return findBackupReceipt(db, project, parseBackupSelector(params.id), query.verification as VerificationId | undefined);
  });
  router.json(ROUTES.listReceipts, async ({ principal, params, query }) =>
    listProjectReceipts(db, await requireProject(doors, principal, params.hash), query),
  );
  router.json(ROUTES.listReceiptKeys, async () => publishKeys(doors));
  router.json(ROUTES.rotateReceiptKey, async ({ principal }) => rotateSigningKey(doors, principal.actor));
}

/** The public keys for everybody, without a token: whoever is given a receipt need not be a user of this control plane. */
export function registerKeyDocument(app: FastifyInstance, doors: ApiDoors): void {
  app.get('/.well-known/flux-receipt-keys.json', async (_request, reply) => {
    reply.headers({ 'content-type': 'application/jwk-set+json', 'cache-control': 'public, max-age=300' });
    return reply.send(JSON.stringify(await publishKeys(doors)));
  });
}
