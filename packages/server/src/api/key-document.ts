import type { FastifyInstance } from 'fastify';
import { publishKeys } from '../backups/receipt/keys.ts';
import type { AccountRouteDeps } from './deps.ts';

/** The public keys of receipts, without a token: whoever holds a receipt need not be a user of this control plane. */
export function registerKeyDocument(app: FastifyInstance, deps: AccountRouteDeps): void {
  app.get('/.well-known/flux-receipt-keys.json', async (_request, reply) => {
    reply.headers({ 'content-type': 'application/jwk-set+json', 'cache-control': 'public, max-age=300' });
    return reply.send(JSON.stringify(await publishKeys(deps)));
  });
}
