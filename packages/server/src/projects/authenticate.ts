import { FluxError } from '@flux/contract/errors';
import type { Catalog } from '../catalog/open.ts';
import { findProjectBySlug, type ProjectRow } from '../catalog/projects.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import type { ExpiryClock } from '../system/expiry-clock.ts';
import { checkProjectKey } from './keys.ts';

/** What recognising the token of a project uses. */
interface AuthenticateDeps {
  readonly catalog: Pick<Catalog, 'db'>;
  readonly engines: EngineDirectory;
  /** Its latest time counts: a clock that goes back does not make a token valid again. */
  readonly clock: Pick<ExpiryClock, 'latest'>;
}

/**
 * The pooled project whose own secret has signed the token of a request.
 *
 * The answer to a wrong token is the same whether there is such a project or not.
 *
 * @param authorization the header, `Bearer <token>`
 * @throws FluxError `not_authenticated` for a token that is missing, expired, or not signed for this project; `forbidden` for another
 * role than `service_role`; `invalid_request` for a project that is not pooled
 */
export async function authenticateProject(deps: AuthenticateDeps, slug: string, authorization: string): Promise<ProjectRow> {
  const [scheme = '', token = ''] = authorization.split(' ');
  const notOurs = () =>
    new FluxError('not_authenticated', `The request has no token of the project ${slug}.`, {
      hint: 'It is a JWT with HS256, signed with the secret that `flux project credentials` shows, with the claim role "service_role".',
    });
  // Without a token nothing is asked of the catalog.
  if (scheme.toLowerCase() !== 'bearer' || token === '') throw notOurs();
  const row = await findProjectBySlug(deps.catalog.db, slug);
  const secret = row === undefined ? null : deps.engines.of(row).project.secrets.jwtSecret;
  const check = secret === null ? 'not_ours' : checkProjectKey(secret, token, deps.clock.latest());
  if (row === undefined || check === 'not_ours') throw notOurs();
  if (check === 'not_now')
    throw new FluxError('not_authenticated', 'The token of the project has expired, or is not valid yet.', { hint: 'Sign a new one.' });
  if (check === 'other_role')
    throw new FluxError('forbidden', 'The token of the project does not have the role service_role.', {
      hint: 'Sign one with the claim role "service_role".',
    });
  if (row.engine === 'v2_shared') return row;
  throw new FluxError('invalid_request', `${slug} is not a pooled project, and takes no push with its own token.`, {
    hint: 'Push with `flux push`, which uses an API token.',
  });
}
