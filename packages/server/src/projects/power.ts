import type { ProjectSummary } from '@flux/contract/project';
import type { ProjectRow } from '../catalog/projects.ts';
import { requireCapability } from '../engines/capabilities.ts';
import { requireActive } from './active.ts';
import type { ProjectDoors } from './doors.ts';
import { summarize } from './list.ts';

/**
 * Starts the server of a project; a pooled project gets what is missing of it in the pool.
 *
 * @throws FluxError `not_ready`, `invalid_request` for an attached database, `instance_unavailable`
 */
export async function startProject(doors: ProjectDoors, row: ProjectRow, signal: AbortSignal): Promise<ProjectSummary> {
  requireActive(row);
  const { engine, project } = doors.engines.of(row);
  if (engine.pooled !== undefined) await engine.pooled.repair(project, signal);
  else await requireCapability(engine, 'power', project).start(project, signal);
  return summarize(doors, row);
}

/** Stops the server of a project until it is started again. @throws FluxError `not_ready`, `invalid_request` */
export async function stopProject(doors: ProjectDoors, row: ProjectRow, signal: AbortSignal): Promise<ProjectSummary> {
  requireActive(row);
  const { engine, project } = doors.engines.of(row);
  await requireCapability(engine, 'power', project).stop(project, signal);
  return summarize(doors, row);
}
