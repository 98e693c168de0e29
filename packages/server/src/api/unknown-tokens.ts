import { FluxError, isFluxError } from '@flux/contract/errors';
import { digestToken } from '../access/tokens.ts';
import type { FailureLimit } from './failure-limit.ts';

/** Keeps requests with tokens that nobody knows from the catalog, which those of everybody else need. */
export interface UnknownTokens {
  /**
   * Looks up a token. One that was valid before is looked up at once; of all others only a few are at the same time, and fewer still from an
   * address that has sent too many wrong ones.
   *
   * @param look asks the catalog
   * @throws FluxError `rate_limited` without having asked, and what `look` throws
   */
  lookUp<T>(token: string, address: string, look: () => Promise<T>): Promise<T>;
}

/** Of tokens that were not valid before: so many are looked up at once, and so many more may wait for that. */
const AT_ONCE = 2;
const MAX_WAITING = 200;
const WAIT_MS = 5000;
const LIST_MS = 1000;
const NONE: ReadonlySet<string> = new Set();
const noneIssued = async () => NONE;
/** Digests of tokens that were valid; the one that was used longest ago is forgotten first. */
const MAX_KNOWN = 10_000;

/**
 * Remembers in memory: after a restart each token is an unknown one once.
 *
 * @param listIssued reads the digests of tokens that may be valid: while others send wrong ones, those that this process has not seen get through by it
 */
export function createUnknownTokens(failures: FailureLimit, listIssued: () => Promise<ReadonlySet<string>> = noneIssued): UnknownTokens {
  const known = new Set<string>();
  const waiting: (() => void)[] = [];
  /** By digest: requests with one token share a look-up, and are all told what came of it. */
  const underway = new Map<string, Promise<unknown>>();
  let running = 0;
  const isCrowded = (address: string) => failures.isOver(address) || running >= AT_ONCE;
  let issued: { readonly at: number; readonly list: Promise<ReadonlySet<string>> } | undefined;
  /** While many ask: whether it was issued, by a list that is read at most once a second. A catalog that does not answer knows none. */
  const isIssued = async (digest: string): Promise<boolean> => {
    if (issued === undefined || performance.now() - issued.at >= LIST_MS) issued = { at: performance.now(), list: listIssued() };
    return (await issued.list.catch(() => NONE)).has(digest);
  };
  /** Resolves when whoever ends hands its place on. @throws FluxError `rate_limited` when that takes too long */
  const place = () =>
    new Promise<void>((resolve, reject) => {
      const take = () => {
        clearTimeout(late);
        resolve();
      };
      const late = setTimeout(() => {
        waiting.splice(waiting.indexOf(take), 1);
        reject(tooMany());
      }, WAIT_MS);
      waiting.push(take);
    });
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (running < AT_ONCE) running += 1;
    else {
      if (waiting.length >= MAX_WAITING) throw tooMany();
      await place();
    }
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
  const shared = <T>(digest: string, look: () => Promise<T>): Promise<T> => {
    const begun = underway.get(digest) as Promise<T> | undefined;
    if (begun !== undefined) return begun;
    const found = inTurn(look).finally(() => underway.delete(digest));
    underway.set(digest, found);
    return found;
  };
  return {
    lookUp: async (token, address, look) => {
      const digest = digestToken(token);
      const isKnown = known.has(digest) || (isCrowded(address) && (await isIssued(digest)));
      if (!isKnown) failures.requireTurn(address);
      try {
        const found = await (isKnown ? look() : shared(digest, look));
        // Deleted first, so that the order is that of the last use.
        known.delete(digest);
        if (known.size >= MAX_KNOWN) known.delete(known.values().next().value as string);
        known.add(digest);
        return found;
      } catch (error) {
        // A catalog that does not answer says nothing about a token.
        if (isFluxError(error, 'not_authenticated')) known.delete(digest);
        throw error;
      }
    },
  };
}

function tooMany(): FluxError {
  return new FluxError('rate_limited', 'Too many requests with tokens that were not used before are waiting; wait 1 s.', {
    hint: 'Send it again in a moment.',
    details: { retryAfterSeconds: 1 },
  });
}
