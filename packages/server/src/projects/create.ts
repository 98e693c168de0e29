import { isWholeDatabase } from '@flux/contract/backup-scope';
import type { Finding } from '@flux/contract/doctor';
import { FluxError } from '@flux/contract/errors';
import type { ProjectHash } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import type { CreateProjectRequest, LinkAnswer, PostgresParts, ProjectSummary } from '@flux/contract/project';
import { isVisible, type Principal, requireAllowed } from '../access/policy.ts';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import type { Catalog } from '../catalog/open.ts';
import { activateProject, findProjectByHash, findProjectBySlug, type ProjectRow } from '../catalog/projects.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import type { Lease } from '../operations/lease.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { removedMeanwhile, removeIncompleteProject } from './incomplete.ts';
import { describeProject, summarize } from './list.ts';
import { nameTaken, newSecrets, recordProject, requireSlug } from './record.ts';
import { declareLive } from './standing.ts';

/** What creating a project uses. */
export interface CreateProjectDeps {
  readonly catalog: Catalog;
  readonly engines: EngineDirectory;
  readonly defaultMode: EngineKind;
  readonly lease: Lease;
  readonly clock: Clock;
  readonly log: Log;
}

/** A project that was just created, with the secrets that existing clients are told once. */
export interface CreatedProject {
  readonly summary: ProjectSummary;
  readonly jwtSecret: string;
  readonly postgres: PostgresParts;
  /** What a look at an attached database found. */
  readonly findings: readonly Finding[];
}

type Creator = Actor & { readonly userId: ProjectRow['owner_id'] };

/**
 * Creates a project: a row that says `creating`, then instance or schema, then `active`. A failure removes what was created.
 *
 * @throws FluxError `invalid_request`, `name_taken`, and whatever the engine could not do
 */
export async function createProject(deps: CreateProjectDeps, actor: Creator, request: CreateProjectRequest): Promise<CreatedProject> {
  const engine = chooseEngine(deps, request);
  if (request.scope !== undefined && request.attach === undefined)
    throw new FluxError('invalid_request', 'Only of an attached database a part can be backed up.', {
      hint: 'Leave out --schema, --exclude-schema and --exclude-table-data: a project of Flux is backed up whole.',
    });
  requireSlug(request.slug);
  return deps.lease.during(() => createUnderLease(deps, actor, request, engine));
}

async function createUnderLease(
  requested: CreateProjectDeps,
  actor: Creator,
  { slug, attach, scope: wanted }: CreateProjectRequest,
  engineKind: EngineKind,
): Promise<CreatedProject> {
  const secrets = newSecrets(attach);
  const scope = wanted === undefined || isWholeDatabase(wanted) ? undefined : wanted;
  const attached = attach !== undefined;
  const row = await recordProject(requested, { ownerId: actor.userId, slug, engine: engineKind, attached, secrets, scope });
  // From here on it must come to an end, also when somebody has locked a table of the catalog for a while.
  const deps = { ...requested, catalog: requested.catalog.forWork() };
  try {
    const { engine, project } = deps.engines.of(row);
    await engine.provision(project);
    const findings = (await engine.attachment?.look(project)) ?? [];
    await deps.catalog.db.transaction().execute(async (db) => {
      if (!(await activateProject(db, row.id))) throw removedMeanwhile(row);
      await recordAudit(db, actor, {
        action: 'project.create',
        projectId: row.id,
        subject: row.slug,
        details: { engine: engineKind, attached: row.attached, ...(scope === undefined ? {} : { scope }) },
      });
    });
    await declareLive(deps, row);
    return {
      summary: await summarize(deps, { ...row, lifecycle: 'active' }),
      jwtSecret: secrets.jwtSecret,
      postgres: await engine.credentials(project),
      findings,
    };
  } catch (error) {
    await removeIncompleteProject(deps, row);
    throw error;
  }
}

/**
 * The project with this name, created when there is none. Repeating it changes nothing.
 *
 * @throws FluxError `name_taken` when it is somebody else's; `forbidden` when it would have to be created and the token may not
 */
export async function linkProject(
  deps: CreateProjectDeps,
  principal: Principal,
  { slug, mode }: { readonly slug: string; readonly mode?: EngineKind | undefined },
): Promise<LinkAnswer> {
  requireSlug(slug);
  const existing = await findProjectBySlug(deps.catalog.db, slug);
  if (existing !== undefined) {
    if (!isVisible(principal, existing)) throw nameTaken(slug);
    return { action: 'linked', project: await describeProject(deps, existing) };
  }
  requireAllowed(principal, 'project.create');
  const { summary } = await createProject(deps, principal.actor, { slug, mode });
  const row = await findProjectByHash(deps.catalog.db, summary.hash as ProjectHash);
  if (row === undefined) throw new Error(`project ${summary.hash} has vanished from the catalog`);
  return { action: 'created', project: await describeProject(deps, row) };
}

function chooseEngine({ defaultMode }: CreateProjectDeps, { mode, attach }: CreateProjectRequest): EngineKind {
  if (attach === undefined) return mode ?? defaultMode;
  if (mode !== 'v2_shared') return 'v1_dedicated';
  throw new FluxError('invalid_request', 'An attached database is a v1_dedicated project; it cannot be v2_shared.', {
    hint: 'Leave out --mode.',
  });
}
