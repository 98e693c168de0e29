import { createHash } from 'node:crypto';
import { FluxError } from '@flux/contract/errors';
import type { Route } from '@flux/contract/route';
import { recordIdempotentAnswer, releaseIdempotencyKey, takeIdempotencyKey } from '../catalog/idempotency.ts';
import type { Answer, Call } from './call.ts';
import type { RouterDeps } from './deps.ts';

const MAX_KEY_LENGTH = 200;

/**
 * Runs a POST with an `Idempotency-Key` at most once: the same key with the same request returns the first answer again. A
 * failed request frees its key.
 *
 * @throws FluxError `invalid_request` when the key was used for another request; `busy` while the first one runs
 */
export async function withIdempotency(deps: RouterDeps, call: Call<Route>, run: () => Promise<Answer>): Promise<Answer> {
  const key = call.request.headers['idempotency-key'];
  if (call.request.method !== 'POST' || typeof key !== 'string') return run();
  if (key.length === 0 || key.length > MAX_KEY_LENGTH)
    throw new FluxError('invalid_request', `An Idempotency-Key has 1 to ${MAX_KEY_LENGTH} characters.`);
  const { db } = deps.catalog;
  const tokenId = call.principal.token.id;
  const state = await takeIdempotencyKey(db, tokenId, key, fingerprint(call));
  if (state.kind === 'other-request')
    throw new FluxError('invalid_request', 'This Idempotency-Key was used for another request.', {
      hint: 'Generate a new key for each request.',
    });
  if (state.kind === 'running')
    throw new FluxError('busy', 'The first request with this Idempotency-Key is already running.', {
      hint: 'Wait for it, then send the request again with the same key.',
    });
  if (state.kind === 'answered') {
    const body = JSON.parse(deps.seal.unseal(state.sealedBody));
    return { status: state.status, body, ...(state.location === null ? {} : { location: state.location }) };
  }
  try {
    const answer = await run();
    await recordIdempotentAnswer(db, tokenId, key, {
      status: answer.status,
      sealedBody: deps.seal.seal(JSON.stringify(answer.body)),
      location: answer.location ?? null,
    });
    return answer;
  } catch (error) {
    await releaseIdempotencyKey(db, tokenId, key).catch((failure) => deps.log.warn({ err: failure }, 'an idempotency key was not freed'));
    throw error;
  }
}

function fingerprint({ request, body }: Call<Route>): string {
  return createHash('sha256')
    .update(`${request.method} ${request.url}\n${JSON.stringify(body ?? null)}`)
    .digest('hex');
}
