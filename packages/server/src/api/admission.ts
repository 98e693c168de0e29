import { FluxError, isFluxError } from '@flux/contract/errors';
import type { Route } from '@flux/contract/route';
import type { FastifyRequest } from 'fastify';
import { type Principal, requireAllowed } from '../access/policy.ts';
import { authenticate, type TokenDeps } from '../access/tokens.ts';
import { createFailureLimit } from './failure-limit.ts';

/** Authenticates requests before their body is read: a body that nobody may send is discarded as it arrives. */
export interface Admission {
  /** @throws FluxError `not_authenticated`, `token_malformed`, `forbidden`, `rate_limited` */
  admit(route: Route, request: FastifyRequest): Promise<void>;
  /** Who sent a request that was admitted. */
  principalOf(request: FastifyRequest): Principal;
}

/** Creates the one admission of an app; its count of wrong tokens holds for all routes together. */
export function createAdmission(deps: TokenDeps): Admission {
  const failures = createFailureLimit(deps.clock);
  const principals = new WeakMap<FastifyRequest, Principal>();
  return {
    admit: async (route, request) => {
      const principal = await authenticate(deps, readBearer(request)).catch((error) => {
        // Only wrong tokens are slowed down: behind a proxy everybody has one address, and a good token must not be shut out.
        if (isFluxError(error, 'not_authenticated') || isFluxError(error, 'token_malformed')) failures.countOrRefuse(request.ip);
        throw error;
      });
      requireAllowed(principal, route.access);
      principals.set(request, principal);
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
