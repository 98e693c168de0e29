import type { EngineKind } from '@flux/contract/labels';
import type { ProjectRow } from '../catalog/projects.ts';
import type { Engine, EngineProject, ProjectSecrets } from '../engines/engine.ts';
import type { PooledTenants } from '../engines/pooled.ts';
import type { ProjectEngines } from '../projects/doors.ts';
import type { Seal } from '../system/seal.ts';

/** Finds the engine of a project and opens the project's secrets for it. */
export function composeEngines(engines: Readonly<Record<EngineKind, Engine>>, pooled: PooledTenants, seal: Seal): ProjectEngines {
  const open = (row: ProjectRow): EngineProject => ({
    id: row.id,
    slug: row.slug,
    hash: row.hash,
    engine: row.engine,
    secrets: JSON.parse(seal.unseal(row.sealed_secrets)) as ProjectSecrets,
  });
  return {
    of: (row) => ({ engine: engines[row.engine], project: open(row) }),
    byKind: (kind) => engines[kind],
    pooled,
    sealSecrets: (secrets) => seal.seal(JSON.stringify(secrets)),
  };
}
