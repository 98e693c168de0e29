import { FluxError } from '@flux/contract/errors';

/** The default address of a control plane. */
export const DEFAULT_API_BASE = 'http://127.0.0.1:4400/api';

/**
 * Normalises an address to the form used everywhere: `http://host:port/api`, no slash at the end.
 *
 * @throws FluxError `usage` when it is not an http(s) address, or contains a user and a password
 */
export function normaliseApiBase(text: string, source: string): string {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new FluxError('usage', `${source} is not an address of a control plane: ${JSON.stringify(text)}.`, {
      hint: `It looks like ${DEFAULT_API_BASE}`,
    });
  }
  if (url.username !== '' || url.password !== '') {
    throw new FluxError('usage', `${source} contains a user or a password; the control plane accepts only tokens.`, {
      hint: 'Run `flux login`.',
    });
  }
  const path = url.pathname.replace(/\/+$/, '').replace(/\/cli\/v1$/, '');
  return `${url.origin}${path.endsWith('/api') ? path : `${path}/api`}`;
}
