import { FluxError, isFluxError } from '@flux/contract/errors';
import type { Route } from '@flux/contract/route';
import type { FastifyRequest } from 'fastify';
import { type Principal, requireAllowed } from '../access/policy.ts';
import { authenticate, requireWellFormed, type TokenDeps } from '../access/tokens.ts';
import { listTokenDigests } from '../catalog/tokens.ts';
import { readOnlyError } from '../catalog/version.ts';
import { createFailureLimit } from './failure-limit.ts';
import type { RateLimit } from './rate-limit.ts';
import { mayReadReasons } from './reasons.ts';
import { createUnknownTokens } from './unknown-tokens.ts';

/** Authenticates requests before their body is read, so that an unauthorised body is discarded as it arrives. */
export interface Admission {
  /** @throws FluxError `not_authenticated`, `token_malformed`, `forbidden`, `rate_limited` */
  admit(route: Pick<Route, 'access'>, request: FastifyRequest): Promise<void>;
  /** The sender of an admitted request. */
  principalOf(request: FastifyRequest): Principal;
}

/** Creates the admission of an app; it counts wrong tokens, and the requests of each token, across all routes. */
export function createAdmission(deps: TokenDeps, rate: RateLimit): Admission {
  const failures = createFailureLimit(deps.clock);
  const unknown = createUnknownTokens(failures, () => listTokenDigests(deps.catalog.db));
  const principals = new WeakMap<FastifyRequest, Principal>();
  const identify = async (token: string, address: string): Promise<Principal> => {
    requireWellFormed(token);
    return unknown.lookUp(token, address, () => authenticate(deps, token));
  };
  return {
    admit: async (route, request) => {
      if (deps.catalog.mode === 'read-only' && request.method !== 'GET' && request.method !== 'HEAD') throw readOnlyError();
      // Outside of what is counted: a request without a token has no wrong one.
      const token = readBearer(request);
      const principal = await identify(token, request.ip).catch((error) => {
        // Only wrong tokens are slowed down: behind a proxy everybody has the same address, and a valid token must not be locked out.
        if (isFluxError(error, 'not_authenticated') || isFluxError(error, 'token_malformed')) failures.countOrRefuse(request.ip);
        throw error;
      });
      rate.take(principal.token.id);
      requireAllowed(principal, route.access);
      principals.set(request, principal);
      request.mayReadReasons = mayReadReasons(principal);
    },
    principalOf: (request) => {
      const principal = principals.get(request);
      if (principal === undefined) throw new Error('a request reached its handler without having been admitted');
      return principal;
    },
  };
}

function readBearer(request: FastifyRequest): string {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ');
  if (scheme?.toLowerCase() === 'bearer' && token !== undefined && token !== '') return token;
  throw new FluxError('not_authenticated', 'The request has no token.', { hint: 'Log in with `flux login`, or set FLUX_API_TOKEN.' });
}
