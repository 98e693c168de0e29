import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { FluxError } from '@flux/contract/errors';
import { isProjectHash, type TokenId } from '@flux/contract/ids';
import type { Route } from '@flux/contract/route';
import * as z from 'zod';
import { keepIdempotencyKey, recordIdempotentAnswer, releaseIdempotencyKey, takeIdempotencyKey } from '../catalog/idempotency.ts';
import { findProjectByHash } from '../catalog/projects.ts';
import { isTokenRevoked } from '../catalog/tokens.ts';
import { insist } from '../operations/insist.ts';
import type { Answer, Call } from './call.ts';
import type { RouterDeps } from './deps.ts';

const MAX_KEY_LENGTH = 200;
/** Well within the time after which a key counts as abandoned. */
const KEEP_EVERY_MS = 120_000;

/** Answers a request, at most once where it has an `Idempotency-Key`. */
export type Idempotency = (call: Call<Route>, run: () => Promise<Answer>) => Promise<Answer>;

/**
 * Runs a POST with an `Idempotency-Key` at most once: the same key with the same request returns the first answer again. A
 * failed request frees its key. What was created must still be there.
 *
 * A request that ends while the catalog is away is the exception, if this process ends before its answer could be recorded, or if the catalog is
 * away for more than ten minutes and another server is asked within seconds of its return: its key counts as abandoned, and the same request runs
 * again.
 *
 * @param keepEveryMs how often the catalog is told that a request still runs, or that its answer is still to be recorded
 * @returns a function that throws FluxError `invalid_request` when the key was used for another request; `busy` while the first one runs, or its
 * answer is not recorded yet; `not_found` when what it created is gone
 */
export function createIdempotency(deps: RouterDeps, keepEveryMs = KEEP_EVERY_MS): Idempotency {
  /** Requests of this process that are not recorded as ended: while the catalog is away, it cannot be told that they are not abandoned. */
  const unrecorded = new Set<string>();
  return async (call, run) => {
    const key = call.request.headers['idempotency-key'];
    if (call.request.method !== 'POST' || typeof key !== 'string') return run();
    if (key.length === 0 || key.length > MAX_KEY_LENGTH)
      throw new FluxError('invalid_request', `An Idempotency-Key has 1 to ${MAX_KEY_LENGTH} characters.`);
    const used: UsedKey = { tokenId: call.principal.token.id, key, fingerprint: fingerprint(call) };
    const id = JSON.stringify(used);
    if (unrecorded.has(id)) throw isRunning();
    const answer = await takeKey(deps, used);
    if (answer !== undefined) return answer;
    unrecorded.add(id);
    const ended = new AbortController();
    const end = () => {
      unrecorded.delete(id);
      ended.abort();
    };
    void keep(deps, used, keepEveryMs, ended.signal);
    return await runOnce(deps, used, run, end);
  };
}

/** A key as somebody has sent it, with a request. */
interface UsedKey {
  readonly tokenId: TokenId;
  readonly key: string;
  readonly fingerprint: string;
}

/** Takes a key. @returns the first answer, when there is one */
async function takeKey(deps: RouterDeps, { tokenId, key, fingerprint }: UsedKey): Promise<Answer | undefined> {
  const state = await takeIdempotencyKey(deps.catalog.db, tokenId, key, fingerprint, deps.clock.latest());
  if (state.kind === 'new') return undefined;
  if (state.kind === 'other-request')
    throw new FluxError('invalid_request', 'This Idempotency-Key was used for another request.', {
      hint: 'Generate a new key for each request.',
    });
  if (state.kind === 'running') throw isRunning();
  const body = JSON.parse(deps.seal.unseal(state.sealedBody));
  if (state.status === 201) await requireStillThere(deps, body);
  return { status: state.status, body, ...(state.location === null ? {} : { location: state.location }) };
}

function isRunning(): FluxError {
  return new FluxError('busy', 'The first request with this Idempotency-Key is already running.', {
    hint: 'Wait for it, then send the request again with the same key.',
  });
}

/** Does the work of a key that was taken. @param end called when its answer is recorded, its key is free, or neither can be helped */
async function runOnce(deps: RouterDeps, { tokenId, key }: UsedKey, run: () => Promise<Answer>, end: () => void): Promise<Answer> {
  const { db } = deps.catalog;
  const answer = await run().catch(async (error) => {
    await releaseIdempotencyKey(db, tokenId, key).catch((failure) => deps.log.warn({ err: failure }, 'an idempotency key was not freed'));
    end();
    throw error;
  });
  const { status, location = null } = answer;
  const record = async () =>
    recordIdempotentAnswer(db, tokenId, key, { status, location, sealedBody: deps.seal.seal(JSON.stringify(answer.body)) });
  // What is done is done, and must not be answered as failed, nor be done again: until it is recorded, the key says that it runs.
  await record().then(end, (first) => {
    deps.log.warn({ err: first }, 'the answer to a request with an idempotency key could not be recorded yet');
    void insist(deps.stopping, record)
      .catch((error) => deps.log.warn({ err: error }, 'the answer to a request with an idempotency key was not recorded'))
      .finally(end);
  });
  return answer;
}

/** Says now and then that the request of a key runs. Never throws. */
async function keep({ catalog, clock, log }: RouterDeps, { tokenId, key }: UsedKey, everyMs: number, ended: AbortSignal): Promise<void> {
  for (;;) {
    await pause(everyMs, undefined, { signal: ended, ref: false }).catch(() => undefined);
    if (ended.aborted) return;
    await keepIdempotencyKey(catalog.db, tokenId, key, clock.latest()).catch((error) =>
      log.warn({ err: error }, 'an idempotency key was not kept'),
    );
  }
}

/** What an answer to a creation names, in the shapes of both APIs. */
const Created = z.union([
  z.object({ project: z.object({ hash: z.string() }) }).transform(({ project }) => ({ hash: project.hash })),
  z.object({ summary: z.object({ hash: z.string() }) }).transform(({ summary }) => ({ hash: summary.hash })),
  z.object({ hash: z.string() }),
  z.object({ item: z.object({ id: z.string() }) }).transform(({ item }) => ({ token: item.id })),
]);

/**
 * A second answer must not say that something is there which has been removed since.
 *
 * @throws FluxError `not_found`
 */
async function requireStillThere({ catalog }: RouterDeps, body: unknown): Promise<void> {
  const created = Created.safeParse(body).data;
  if (created === undefined) return;
  if ('hash' in created) {
    const project = isProjectHash(created.hash) ? await findProjectByHash(catalog.db, created.hash) : undefined;
    if (project === undefined || project.lifecycle === 'removed' || project.lifecycle === 'removing')
      throw goneSince(`the project ${created.hash}`);
  } else if (await isTokenRevoked(catalog.db, created.token as TokenId)) throw goneSince('a token');
}

function goneSince(what: string): FluxError {
  return new FluxError('not_found', `The first request with this Idempotency-Key created ${what}, which has been removed since.`, {
    hint: 'Nothing was created now. To create it anew, send the request with a new key.',
  });
}

function fingerprint({ request, body }: Call<Route>): string {
  return createHash('sha256')
    .update(`${request.method} ${request.url}\n${JSON.stringify(body ?? null)}`)
    .digest('hex');
}
