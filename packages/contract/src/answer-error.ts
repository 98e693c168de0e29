import { type ErrorCode, FluxError, fromProblem, isErrorCode, type Problem } from './errors.ts';

/** Changes each value of an answer as it is parsed, as `JSON.parse` does it. */
export type Reviver = (key: string, value: unknown) => unknown;

const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_request',
  401: 'not_authenticated',
  403: 'forbidden',
  404: 'not_found',
  409: 'not_ready',
  410: 'artifact_gone',
  412: 'gate_refused',
  413: 'payload_too_large',
  422: 'artifact_invalid',
  429: 'rate_limited',
  502: 'unreachable',
  503: 'unreachable',
  504: 'unreachable',
  507: 'volume_full',
};

/** Turns the body of an unsuccessful answer into an error. The body is a problem document of ours, or anything else that a proxy sent. */
export function errorFromAnswer(status: number, body: string, base: string, read?: Reviver): FluxError {
  const parsed = parse(body, read);
  if (typeof parsed?.code === 'string' && isErrorCode(parsed.code) && typeof parsed.detail === 'string') {
    return fromProblem(parsed as unknown as Problem);
  }
  const code = BY_STATUS[status] ?? 'internal';
  if (typeof parsed?.error === 'string') return new FluxError(code, parsed.error);
  return new FluxError(code, `${base} answered HTTP ${status}, but the answer does not come from Flux.`, {
    hint: 'Check the address: FLUX_API_BASE, or `flux login --api-base <url>`.',
  });
}

function parse(body: string, read: Reviver | undefined): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body, read);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    // Not JSON: the caller says so.
    return null;
  }
}
