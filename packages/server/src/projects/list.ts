import { isFluxError } from '@flux/contract/errors';
import { isSlug, isUuid, type ProjectId } from '@flux/contract/ids';
import type { ProjectAnswer, ProjectSummary } from '@flux/contract/project';
import type { Catalog } from '../catalog/open.ts';
import { listVisibleProjects, type ProjectCursor, type ProjectRow, type Visibility } from '../catalog/projects.ts';
import { capabilitiesOf } from '../engines/capabilities.ts';
import { type EngineDirectory, readScope } from '../engines/directory.ts';
import type { Engine, EngineProject } from '../engines/engine.ts';
import type { InstanceState } from '../instances/instance.ts';
import type { Log } from '../system/log.ts';

/** What reading the summary of a project uses. */
export interface SummaryDeps {
  readonly catalog: Catalog;
  readonly engines: EngineDirectory;
  readonly log: Log;
}

/** Which projects a list is about. `unfinished`: also those that are being created or removed. */
export type ListedProjects = 'active' | 'unfinished' | 'removed';

const LIFECYCLES = { active: ['active'], unfinished: ['creating', 'active', 'removing'], removed: ['removed'] } as const;

/** The projects that somebody may see, by slug, with the present state of their Postgres; removed ones by newest removal. */
export async function listSummaries(
  deps: SummaryDeps,
  visible: Visibility,
  which: ListedProjects,
  page: { readonly limit?: number; readonly after?: ProjectCursor | undefined } = {},
): Promise<readonly { readonly row: ProjectRow; readonly summary: ProjectSummary }[]> {
  const rows = await listVisibleProjects(deps.catalog.db, visible, LIFECYCLES[which], page);
  return Promise.all(rows.map(async (row) => ({ row, summary: await summarize(deps, row) })));
}

/** A project with its settings and the schema that its API works on. */
export async function describeProject(deps: SummaryDeps, row: ProjectRow): Promise<ProjectAnswer['project']> {
  const { engine, project } = deps.engines.toLook(row);
  return { ...(await summarize(deps, row)), apiSchema: engine.apiSchema(project), pushPolicy: row.push_policy };
}

/** The cursor that the next page of a list begins after. */
export function projectCursorOf(which: ListedProjects, { slug, removed_at, id }: ProjectRow): string {
  return which === 'removed' ? `${removed_at?.toISOString()}_${id}` : slug;
}

/** Parses a cursor of `projectCursorOf`; undefined for anything else. */
export function parseProjectCursor(which: ListedProjects, cursor: string): ProjectCursor | undefined {
  if (which !== 'removed') return isSlug(cursor) ? { slug: cursor } : undefined;
  const [time = '', id = ''] = cursor.split('_');
  const removedAt = new Date(time);
  return Number.isNaN(removedAt.getTime()) || !isUuid(id) ? undefined : { removedAt, id: id as ProjectId };
}

/** One project as a list shows it. When its engine does not answer it is `partial`; that is never an error of the list. */
export async function summarize(deps: SummaryDeps, row: ProjectRow): Promise<ProjectSummary> {
  const { engine, project } = deps.engines.toLook(row);
  if (row.lifecycle === 'removed') return { ...summaryOf(engine, row), status: 'missing' };
  const status = await readStatus(engine, project).catch((error) => {
    deps.log.warn({ err: error, project: row.hash }, 'the state of a project could not be read');
    return undefined;
  });
  return {
    ...summaryOf(engine, row),
    status: row.lifecycle === 'active' ? onTheWire(status?.state ?? 'failing') : 'partial',
    restarts: status?.restarts ?? 0,
    lastRestartAt: status?.lastRestartAt?.toISOString() ?? null,
    port: status?.port ?? null,
    postgresVersion: status?.postgresVersion ?? null,
  };
}

/** An engine may throw before there is anything to wait for. */
const readStatus = async (engine: Engine, project: EngineProject) => engine.status(project);

/** What the catalog alone knows of a project. */
function summaryOf(engine: Engine, row: ProjectRow): ProjectSummary {
  return {
    slug: row.slug,
    hash: row.hash,
    status: 'partial',
    lifecycle: row.lifecycle,
    mode: row.engine,
    attached: row.attached,
    ...scopeOf(row),
    capabilities: capabilitiesOf(engine),
    createdAt: row.created_at.toISOString(),
    removedAt: row.removed_at?.toISOString() ?? null,
    restarts: 0,
    lastRestartAt: null,
    port: null,
    postgresVersion: null,
  };
}

/** Which part is backed up, or why that cannot be told. */
function scopeOf(row: ProjectRow): Pick<ProjectSummary, 'scope' | 'problem'> {
  try {
    const scope = readScope(row);
    return scope === undefined ? {} : { scope };
  } catch (error) {
    if (isFluxError(error)) return { problem: `${error.message} ${error.hint ?? ''}`.trim() };
    throw error;
  }
}

function onTheWire(state: InstanceState): ProjectSummary['status'] {
  switch (state) {
    case 'running':
    case 'stopped':
    case 'missing':
    case 'corrupted':
      return state;
    case 'starting':
    case 'failing':
      return 'partial';
  }
}
