import type { ProjectSummary } from '@flux/contract/project';
import type { Catalog } from '../catalog/open.ts';
import { listVisibleProjects, type ProjectRow, type Visibility } from '../catalog/projects.ts';
import { capabilitiesOf } from '../engines/capabilities.ts';
import type { InstanceState } from '../instances/instance.ts';
import type { Log } from '../system/log.ts';
import type { ProjectEngines } from './doors.ts';

/** What the summary of a project is read from. */
export interface SummaryDeps {
  readonly catalog: Catalog;
  readonly engines: Pick<ProjectEngines, 'of'>;
  readonly log: Log;
  /** Where people reach the control plane: `http://host:port`. */
  readonly publicUrl: string;
}

/** Which projects a list is about. `unfinished`: also those that are being created or removed. */
export type ListedProjects = 'active' | 'unfinished' | 'removed';

const LIFECYCLES = { active: ['active'], unfinished: ['creating', 'active', 'removing'], removed: ['removed'] } as const;

/** The projects that somebody may see, by slug, with the present state of their Postgres; removed ones by newest removal. */
export async function listSummaries(deps: SummaryDeps, visible: Visibility, which: ListedProjects): Promise<ProjectSummary[]> {
  const rows = await listVisibleProjects(deps.catalog.db, visible, LIFECYCLES[which]);
  if (which === 'removed') return rows.map((row) => ({ ...summaryOf(deps, row), status: 'missing' }));
  return Promise.all(rows.map((row) => summarize(deps, row)));
}

/** One project as a list shows it. An engine that cannot be asked makes the project `partial`, never an error of the list. */
export async function summarize(deps: SummaryDeps, row: ProjectRow): Promise<ProjectSummary> {
  const { engine, project } = deps.engines.of(row);
  const status = await engine.status(project).catch((error) => {
    deps.log.warn({ err: error, project: row.hash }, 'state of a project is not known');
    return undefined;
  });
  return {
    ...summaryOf(deps, row),
    status: row.lifecycle === 'active' ? onTheWire(status?.state ?? 'failing') : 'partial',
    restarts: status?.restarts ?? 0,
    lastRestartAt: status?.lastRestartAt?.toISOString() ?? null,
    port: status?.port ?? null,
    postgresVersion: status?.postgresVersion ?? null,
  };
}

/** What the catalog alone knows of a project. */
function summaryOf(deps: SummaryDeps, row: ProjectRow): ProjectSummary {
  const { engine } = deps.engines.of(row);
  return {
    slug: row.slug,
    hash: row.hash,
    status: 'partial',
    apiUrl: deps.publicUrl,
    lifecycleState: row.lifecycle === 'removed' ? 'archived' : 'active',
    lifecycle: row.lifecycle,
    mode: row.engine,
    attached: row.attached,
    capabilities: capabilitiesOf(engine),
    createdAt: row.created_at.toISOString(),
    removedAt: row.removed_at?.toISOString() ?? null,
    restarts: 0,
    lastRestartAt: null,
    port: null,
    postgresVersion: null,
  };
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
