import { randomUUID } from 'node:crypto';
import { createFluxClient, type FluxClient } from '@flux/contract/client';
import { answerReviver } from '@flux/contract/display';
import { FluxError } from '@flux/contract/errors';
import type { Output } from '../output/output.ts';
import type { Settings } from '../settings/settings.ts';
import { assertToken } from '../token/check.ts';
import { VERSION } from '../version.ts';
import type { NodeTransport } from './transport.ts';

const QUIET_MS = 80;

/** Creates the client of a run for a token. While it waits for an answer, a terminal says so. */
export function connect(settings: Settings, token: string, transport: NodeTransport, output: Output): FluxClient {
  const client = createFluxClient({
    base: settings.apiBase,
    token,
    transport: transport.send,
    newIdempotencyKey: randomUUID,
    // No name, note or other server begins a line of its own among ours; programs get the text as it is.
    reviver: output.json ? undefined : answerReviver,
    userAgent: `flux/${VERSION} node/${process.versions.node}`,
  });
  const call: FluxClient['call'] = async (name, input) => {
    const timer = setTimeout(() => output.status.idle(`Asking ${settings.apiBase}`), QUIET_MS);
    try {
      return await client.call(name, input);
    } finally {
      clearTimeout(timer);
    }
  };
  return { ...client, call };
}

/** The token of a run, checked for typing errors before it is sent. */
export function requireToken(settings: Settings): string {
  if (settings.token === null) {
    throw new FluxError('not_authenticated', settings.tokenRefusal ?? 'You are not logged in.', {
      hint:
        settings.tokenRefusal === null
          ? 'Run `flux login`, or set FLUX_API_TOKEN.'
          : `Run \`flux login --api-base ${settings.apiBase}\`, or set FLUX_API_TOKEN.`,
    });
  }
  assertToken(settings.token, settings.tokenSource ?? 'the settings');
  return settings.token;
}
