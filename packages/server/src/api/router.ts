import { FluxError } from '@flux/contract/errors';
import { isProjectHash } from '@flux/contract/ids';
import type { JsonRoute, Route } from '@flux/contract/route';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isVisible, type Principal } from '../access/policy.ts';
import { findProjectByHash, type ProjectRow } from '../catalog/projects.ts';
import type { Admission } from './admission.ts';
import type { Answer, AnswerOf, Call, Parsed } from './call.ts';
import { checkAnswer } from './check-answer.ts';
import type { RouterDeps } from './deps.ts';
import { createIdempotency } from './idempotency.ts';
import { parseInput } from './parse-input.ts';

/** The answer to a request for long work: the operation while it continues, or the result. */
export type WorkAnswer<Body> = { readonly operation: { readonly id: string } } | { readonly done: Body };

/** Registers routes of one table of the contract. */
export interface Router {
  /** A JSON route; the handler returns the answer. With status 202 it is an operation, and `Location` is set to its address. */
  json<R extends JsonRoute>(route: R, handler: (call: Call<R>) => Promise<AnswerOf<R>>): void;
  /** A JSON route that answers 202 with an operation, or with the answer of its schema. */
  work<R extends JsonRoute>(route: R, handler: (call: Call<R>) => Promise<WorkAnswer<AnswerOf<R>>>): void;
  /** A route whose handler sends the answer itself. */
  raw<R extends Route>(route: R, handler: (call: Call<R>) => Promise<unknown>): void;
}

/**
 * Creates the router of the routes below a prefix: every route authenticates and authorises its caller before a body is
 * read, and parses its input before its handler runs.
 */
export function createRouter(app: FastifyInstance, deps: RouterDeps, admission: Admission, prefix: string): Router {
  const answerOnce = createIdempotency(deps);
  const enter = <R extends Route>(route: R, request: FastifyRequest, reply: FastifyReply): Call<R> => ({
    principal: admission.principalOf(request),
    params: parseInput(route, 'path', request.params) as Parsed<R['params']>,
    query: parseInput(route, 'query', request.query) as Parsed<R['query']>,
    // A file is read by its handler, as it arrives.
    body: (route.bytes === true ? undefined : parseInput(route, 'body', request.body)) as Parsed<R['body']>,
    request,
    reply,
    signal: AbortSignal.any([deps.stopping, whenDisconnected(reply)]),
  });
  const register = (route: Route, handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>): void => {
    app.route({
      method: route.method,
      url: prefix + route.path,
      ...(route.maxBodyBytes === undefined ? {} : { bodyLimit: route.maxBodyBytes }),
      config: { receivesFile: route.bytes === true, isAdmitted: true },
      onRequest: async (request) => {
        await admission.admit(route, request);
        if (route.method !== 'GET' && deps.stopping.aborted) throw isStopping();
      },
      handler,
    });
  };
  const answerWith = <R extends JsonRoute>(route: R, respond: (call: Call<R>) => Promise<Answer>): void =>
    register(route, async (request, reply) => {
      const call = enter(route, request, reply);
      const answer = await answerOnce(call, async () => respond(call));
      if (answer.location !== undefined) reply.header('location', answer.location);
      return reply.status(answer.status).send(answer.body);
    });
  const check = (route: Route, body: unknown): void => {
    if (deps.limits.answerChecks === 'on') checkAnswer(route, body);
  };
  const accepted = (body: { readonly id: string }): Answer => ({ status: 202, body, location: `${prefix}/operations/${body.id}` });
  return {
    json: (route, handler) =>
      answerWith(route, async (call) => {
        const body = await handler(call);
        check(route, body);
        return route.status === 202 ? accepted(body as unknown as { id: string }) : { status: route.status, body };
      }),
    work: (route, handler) =>
      answerWith(route, async (call) => {
        const outcome = await handler(call);
        if ('operation' in outcome) return accepted(outcome.operation);
        check(route, outcome.done);
        return { status: route.status, body: outcome.done };
      }),
    raw: (route, handler) => register(route, async (request, reply) => handler(enter(route, request, reply))),
  };
}

/**
 * The project that a request names, if the principal may see it.
 *
 * @throws FluxError `invalid_request` when it is not a hash; `project_not_found`, also for another user's project
 */
export async function requireProject({ catalog }: Pick<RouterDeps, 'catalog'>, principal: Principal, hash: string): Promise<ProjectRow> {
  if (!isProjectHash(hash)) {
    throw new FluxError('invalid_request', `"${hash}" is not a project hash.`, {
      hint: 'A hash is 7 lowercase hex digits; `flux list` shows it.',
    });
  }
  const project = await findProjectByHash(catalog.db, hash);
  if (project !== undefined && isVisible(principal, project)) return project;
  throw projectNotFound(hash);
}

/** The error for a hash that names no project that the principal may see. */
export function projectNotFound(hash: string): FluxError {
  return new FluxError('project_not_found', `Project not found: you have none with the hash ${hash}.`, { hint: 'See `flux list`.' });
}

function isStopping(): FluxError {
  return new FluxError('stopping', 'The control plane is stopping, and takes no new work.', {
    hint: 'Run the command again in a moment.',
  });
}

/** Aborted when the client disconnects. Listens on the response, not on the socket: a keep-alive connection carries many requests and would accumulate their listeners. */
export function whenDisconnected({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  const look = () => raw.writableFinished || gone.abort(new Error('the client disconnected'));
  if (raw.destroyed) look();
  else raw.once('close', look);
  return gone.signal;
}
