import type { ProjectSummary } from '@flux/contract/project';
import type { ProjectRow } from '../catalog/projects.ts';
import { requireCapability } from '../engines/capabilities.ts';
import { requireActive } from './active.ts';
import { type SummaryDeps, summarize } from './list.ts';

/**
 * Starts the server of a project; for a pooled project, creates what is missing of it in the pool.
 *
 * @throws FluxError `not_ready`, `invalid_request` for an attached database, `instance_unavailable`
 */
export async function startProject(deps: SummaryDeps, row: ProjectRow, signal: AbortSignal): Promise<ProjectSummary> {
  requireActive(row);
  const { engine, project } = deps.engines.of(row);
  if (engine.pooled !== undefined) await engine.pooled.repair(project, signal);
  else await requireCapability(engine, 'power', project).start(project, signal);
  return summarize(deps, row);
}

/** Stops the server of a project until it is started again. @throws FluxError `not_ready`, `invalid_request` */
export async function stopProject(deps: SummaryDeps, row: ProjectRow, signal: AbortSignal): Promise<ProjectSummary> {
  requireActive(row);
  const { engine, project } = deps.engines.of(row);
  await requireCapability(engine, 'power', project).stop(project, signal);
  return summarize(deps, row);
}
