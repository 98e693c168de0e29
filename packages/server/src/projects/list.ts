import type { ProjectSummary } from '@flux/contract/project';
import { listProjects, listRemovedProjects, type ProjectRow } from '../catalog/projects.ts';
import type { InstanceState } from '../instances/instance.ts';
import type { ProjectDoors } from './doors.ts';

/** Every project that somebody may see and that is there, by slug, with the state of its Postgres as it is now. */
export async function listVisibleProjects(doors: ProjectDoors, maySee: (project: ProjectRow) => boolean): Promise<ProjectSummary[]> {
  return summarizeAll(doors, (row) => row.lifecycle === 'active' && maySee(row));
}

/** The same with those that are being made or removed. */
export async function listAllVisibleProjects(doors: ProjectDoors, maySee: (project: ProjectRow) => boolean): Promise<ProjectSummary[]> {
  return summarizeAll(doors, maySee);
}

async function summarizeAll(doors: ProjectDoors, isWanted: (project: ProjectRow) => boolean): Promise<ProjectSummary[]> {
  const rows = (await listProjects(doors.catalog.db)).filter(isWanted);
  return Promise.all(rows.map((row) => summarize(doors, row)));
}

/** Every removed project that somebody may see, newest removal first: their backups are still there. */
export async function listVisibleRemovedProjects(doors: ProjectDoors, maySee: (project: ProjectRow) => boolean): Promise<ProjectSummary[]> {
  const rows = (await listRemovedProjects(doors.catalog.db)).filter(maySee);
  return rows.map((row) => ({ ...summaryOf(doors, row), status: 'missing' }));
}

/** One project as a list shows it. An engine that cannot be asked makes the project `partial`, never an error of the list. */
export async function summarize(doors: ProjectDoors, row: ProjectRow): Promise<ProjectSummary> {
  const { engine, project } = doors.engines.of(row);
  const status = await engine.status(project).catch((error) => {
    doors.log.warn({ err: error, project: row.hash }, 'state of a project is not known');
    return undefined;
  });
  return {
    ...summaryOf(doors, row),
    status: row.lifecycle === 'active' ? onTheWire(status?.state ?? 'failing') : 'partial',
    restarts: status?.restarts ?? 0,
    lastRestartAt: status?.lastRestartAt?.toISOString() ?? null,
    port: status?.port ?? null,
    postgresVersion: status?.postgresVersion ?? null,
  };
}

/** What the catalog alone knows of a project. */
function summaryOf(doors: ProjectDoors, row: ProjectRow): ProjectSummary {
  return {
    slug: row.slug,
    hash: row.hash,
    status: 'partial',
    apiUrl: doors.publicUrl,
    lifecycleState: row.lifecycle === 'removed' ? 'archived' : 'active',
    lifecycle: row.lifecycle,
    mode: row.engine,
    attached: row.attached,
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
