import { FluxError, isFluxError } from '@flux/contract/errors';
import { isProjectHash } from '@flux/contract/ids';
import { API_PREFIX, type Route } from '@flux/contract/routes';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { authenticate, maySee, type Principal, requireAccess } from '../access/tokens.ts';
import { findProjectByHash, type ProjectRow } from '../catalog/projects.ts';
import type { Answer, Call, Parsed } from './call.ts';
import type { ApiDoors } from './doors.ts';
import { createFailureLimit } from './failure-limit.ts';
import { withIdempotency } from './idempotency.ts';
import { parseInput } from './parse-input.ts';

/** Registers routes of the contract. */
export interface Router {
  /** A JSON route; the handler's value is the answer. */
  json<R extends Route>(route: R, handler: (call: Call<R>) => Promise<Answer | object>): void;
  /** A route whose handler writes the answer itself. */
  raw<R extends Route>(route: R, handler: (call: Call<R>) => Promise<unknown>): void;
}

const answers = new WeakSet<object>();

/** Marks an answer whose status is not the usual one of its route. */
export function answer(status: number, body: unknown, location?: string): Answer {
  const made = { status, body, ...(location === undefined ? {} : { location }) };
  answers.add(made);
  return made;
}

/**
 * Makes the router: every route authenticates and checks the access level before a body is read, and parses its input before its
 * handler runs. A body that nobody may send is thrown away as it comes.
 */
export function createRouter(app: FastifyInstance, doors: ApiDoors): Router {
  const failures = createFailureLimit(doors.clock);
  const principals = new WeakMap<FastifyRequest, Principal>();
  const admit = async (route: Route, request: FastifyRequest): Promise<void> => {
    const principal = await authenticate(doors, readBearer(request)).catch((error) => {
      // Only wrong tokens are slowed down: behind a proxy everybody has one address, and a good token must not be shut out.
      if (isFluxError(error, 'not_authenticated') || isFluxError(error, 'token_malformed')) failures.countOrRefuse(request.ip);
      throw error;
    });
    requireAccess(principal, route.access);
    principals.set(request, principal);
  };
  const enter = <R extends Route>(route: R, request: FastifyRequest, reply: FastifyReply): Call<R> => {
    const principal = principals.get(request);
    if (principal === undefined) throw new Error('a request came to its handler without having been admitted');
    return {
      principal,
      params: parseInput(route, 'path', request.params) as Parsed<R['params']>,
      query: parseInput(route, 'query', request.query) as Parsed<R['query']>,
      body: parseInput(route, 'body', request.body) as Parsed<R['body']>,
      request,
      reply,
      signal: AbortSignal.any([doors.stopping, whenGone(reply)]),
    };
  };
  return {
    json: (route, handler) => {
      app.route({
        method: route.method,
        url: API_PREFIX + route.path,
        ...limitOf(route),
        onRequest: (request) => admit(route, request),
        handler: async (request, reply) => {
          const call = enter(route, request, reply);
          const made = await withIdempotency(doors, call, async () => toAnswer(await handler(call), route.status));
          if (made.location !== undefined) reply.header('location', made.location);
          return reply.status(made.status).send(made.body);
        },
      });
    },
    raw: (route, handler) => {
      app.route({
        method: route.method,
        url: API_PREFIX + route.path,
        ...limitOf(route),
        onRequest: (request) => admit(route, request),
        handler: async (request, reply) => handler(enter(route, request, reply)),
      });
    },
  };
}

/**
 * The project that a request names, if the principal may know of it.
 *
 * @throws FluxError `invalid_request` when it is no hash; `project_not_found` also for somebody else's
 */
export async function requireProject(doors: ApiDoors, principal: Principal, hash: string): Promise<ProjectRow> {
  if (!isProjectHash(hash)) {
    throw new FluxError('invalid_request', `"${hash}" is not a project hash.`, {
      hint: 'A hash is 7 lowercase hex digits; `flux list` shows it.',
    });
  }
  const project = await findProjectByHash(doors.catalog.db, hash);
  if (project !== undefined && maySee(principal, project)) return project;
  throw new FluxError('project_not_found', `No project of yours has the hash ${hash}.`, { hint: 'See `flux list`.' });
}

function toAnswer(made: Answer | object, status: number): Answer {
  return answers.has(made) ? (made as Answer) : { status, body: made };
}

function readBearer(request: FastifyRequest): string {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ');
  if (scheme?.toLowerCase() === 'bearer' && token !== undefined && token !== '') return token;
  throw new FluxError('not_authenticated', 'The request has no token.', { hint: 'Log in with `flux login`, or set FLUX_API_TOKEN.' });
}

function limitOf({ maxBodyBytes }: Route): { bodyLimit?: number } {
  return maxBodyBytes === undefined ? {} : { bodyLimit: maxBodyBytes };
}

/** Heard on the response and not on the socket: one connection carries many requests, and would gather a listener of each. */
function whenGone({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  const look = () => raw.writableFinished || gone.abort(new Error('the client has gone'));
  if (raw.destroyed) look();
  else raw.once('close', look);
  return gone.signal;
}
