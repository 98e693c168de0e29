import { isFluxError } from '@flux/contract/errors';
import type { NodeTransport } from './transport.ts';

const TIMEOUT_MS = 3000;

/** The version of a control plane; null when nothing answers there within 3 s, or something that is not a control plane. */
export async function askVersion(apiBase: string, transport: NodeTransport): Promise<string | null> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await transport.send({ method: 'GET', url: `${apiBase}/health`, headers: {}, body: null, signal, idleMs: TIMEOUT_MS });
    const { version } = JSON.parse(await response.text()) as { readonly version?: unknown };
    return typeof version === 'string' ? version : null;
  } catch (error) {
    if (isFluxError(error) || error instanceof SyntaxError || (error as Error).name === 'TimeoutError') return null;
    throw error;
  }
}
