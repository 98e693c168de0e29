import { leaveOutNulls } from '@flux/contract/cli-v1/absence';
import { PROJECT_TOKEN_PREFIX, PROJECT_TOKEN_ROUTES } from '@flux/contract/cli-v1/routes/project-token';
import { type ErrorCode, FluxError, isFluxError } from '@flux/contract/errors';
import type { JsonRoute } from '@flux/contract/route';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ProjectRow } from '../../catalog/projects.ts';
import { authenticateProject } from '../../projects/authenticate.ts';
import { listMigrations } from '../../projects/ledger.ts';
import { pushSql } from '../../projects/push.ts';
import type { AnswerOf, Parsed } from '../call.ts';
import { checkAnswer } from '../check-answer.ts';
import type { ProjectRouteDeps, RouterDeps } from '../deps.ts';
import { createFailureLimit } from '../failure-limit.ts';
import { parseInput } from '../parse-input.ts';
import type { RateLimit } from '../rate-limit.ts';
import { whenDisconnected } from '../router.ts';
import { createUnknownTokens } from '../unknown-tokens.ts';
import { toLegacyPush } from './legacy-shapes.ts';

interface ProjectTokenCall<R extends JsonRoute> {
  /** The project whose secret has signed the token. */
  readonly project: ProjectRow;
  readonly query: Parsed<R['query']>;
  readonly body: Parsed<R['body']>;
  readonly signal: AbortSignal;
}

/** A catalog that does not answer says nothing about a token, and who has to wait is refused without having asked it. */
const NOT_ABOUT_TOKENS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['catalog_unavailable', 'rate_limited']);

/**
 * Routes for existing clients that send a pooled project's own token. It is checked before a body is read. `rate` counts by project, and by
 * address what is refused to a token that a project has signed; tokens that none has signed are counted apart.
 */
export function registerProjectTokenRoutes(app: FastifyInstance, http: RouterDeps, rate: RateLimit, deps: ProjectRouteDeps): void {
  const failures = createFailureLimit(http.clock);
  const unknown = createUnknownTokens(failures);
  const projects = new WeakMap<FastifyRequest, ProjectRow>();

  const admit = async (request: FastifyRequest): Promise<void> => {
    const { slug } = request.params as { readonly slug: string };
    const { clock } = http;
    const { authorization = '' } = request.headers;
    // The name is part of what is remembered: a token is of one project only.
    const find = () => authenticateProject({ ...deps, clock }, slug, authorization);
    const project = await unknown.lookUp(`${slug} ${authorization.split(' ')[1]}`, request.ip, find).catch((error) => {
      if (isFluxError(error, 'not_authenticated')) failures.countOrRefuse(request.ip);
      // Signed by a project, but refused: it counts as a request without a token does.
      else if (isFluxError(error) && !NOT_ABOUT_TOKENS.has(error.code)) rate.take(request.ip);
      throw error;
    });
    rate.take(project.id);
    if (request.method !== 'GET' && http.stopping.aborted)
      throw new FluxError('stopping', 'The control plane is stopping, and takes no new work.', { hint: 'Push again in a moment.' });
    projects.set(request, project);
    request.mayReadReasons = false;
  };
  const register = <R extends JsonRoute>(route: R, respond: (call: ProjectTokenCall<R>) => Promise<AnswerOf<R>>): void => {
    const handler = async (request: FastifyRequest, reply: FastifyReply) => {
      const project = projects.get(request);
      if (project === undefined) throw new Error('a request reached its handler without having been admitted');
      const query = parseInput(route, 'query', request.query) as Parsed<R['query']>;
      const body = parseInput(route, 'body', request.body) as Parsed<R['body']>;
      const signal = AbortSignal.any([http.stopping, whenDisconnected(reply)]);
      const answer = leaveOutNulls(await respond({ project, query, body, signal }));
      if (http.limits.answerChecks === 'on') checkAnswer(route, answer);
      return reply.status(route.status).send(answer);
    };
    const limit = route.maxBodyBytes === undefined ? {} : { bodyLimit: route.maxBodyBytes };
    app.route({
      method: route.method,
      url: PROJECT_TOKEN_PREFIX + route.path,
      ...limit,
      config: { isAdmitted: true },
      onRequest: admit,
      handler,
    });
  };

  register(PROJECT_TOKEN_ROUTES.projectPush, async ({ project, body: { hash, ...push }, signal }) => {
    requireHashOf(project, hash);
    // A token says which project, not which person: the audit names its owner.
    const pusher = { actor: { userId: project.owner_id, tokenId: null }, access: 'write' } as const;
    return toLegacyPush(await pushSql(deps, project, pusher, push, signal));
  });
  register(PROJECT_TOKEN_ROUTES.projectMigrations, async ({ project, query, signal }) => {
    requireHashOf(project, query.hash);
    return { applied: [...(await listMigrations(deps, project, signal))] };
  });
}

/** @throws FluxError `project_mismatch` */
function requireHashOf({ slug, hash }: ProjectRow, named: string): void {
  if (named === hash) return;
  throw new FluxError('project_mismatch', `The project ${slug} does not have the hash ${named}.`, {
    hint: 'Correct the hash in flux.json; `flux list` shows it.',
  });
}
