import type { AppliedMigration } from '@flux/contract/project';
import type { ProjectRow } from '../catalog/projects.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import { listApplied } from '../engines/owner-access.ts';
import { requireActive } from './active.ts';

/** The ledger of a project, oldest first. @throws FluxError `not_ready`, `rate_limited`, `instance_stopped`, `instance_unavailable` */
export async function listMigrations(
  { engines }: { readonly engines: EngineDirectory },
  row: ProjectRow,
  signal: AbortSignal,
): Promise<readonly AppliedMigration[]> {
  requireActive(row);
  const { engine, project } = engines.of(row);
  const access = await engine.ownerAccess(project, signal);
  return await engines.ledgerReads.run(project, signal, () => listApplied(access, signal));
}
