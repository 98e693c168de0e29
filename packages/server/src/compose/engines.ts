import type { EngineKind } from '@flux/contract/labels';
import type { ProjectRow } from '../catalog/projects.ts';
import type { Engine, EngineProject, ProjectSecrets } from '../engines/engine.ts';
import type { ProjectEngines } from '../projects/doors.ts';
import type { Seal } from '../system/seal.ts';

/** One of each engine. */
export interface EngineSet extends Readonly<Record<EngineKind, Engine>> {
  readonly attached: Engine;
}

/** Chooses the engine of a project and unseals the project's secrets for it. */
export function composeEngines(engines: EngineSet, seal: Seal): ProjectEngines {
  const open = (row: ProjectRow): EngineProject => ({
    id: row.id,
    slug: row.slug,
    hash: row.hash,
    engine: row.engine,
    secrets: JSON.parse(seal.unseal(row.sealed_secrets)) as ProjectSecrets,
  });
  return {
    of: (row) => ({ engine: row.attached ? engines.attached : engines[row.engine], project: open(row) }),
    sealSecrets: (secrets) => seal.seal(JSON.stringify(secrets)),
  };
}
