import { createHash } from 'node:crypto';
import { FluxError } from '@flux/contract/errors';
import { hasValidCheck } from '@flux/contract/token';

/**
 * Catches a mistyped token before it is sent.
 *
 * @throws FluxError `token_malformed`; the token is not in the message
 */
export function assertToken(token: string, source: string): void {
  if (hasValidCheck(token, (text) => createHash('sha256').update(text).digest('hex'))) return;
  throw new FluxError('token_malformed', `The token from ${source} is mistyped: its last four digits do not match the rest.`, {
    hint: 'A token looks like flx_live_<32 hex>_<4 hex>. Copy it again, or ask for a new one.',
  });
}
