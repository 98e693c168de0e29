import type { EngineKind } from '@flux/contract/labels';
import type { Catalog } from '../catalog/open.ts';
import { listLiveProjects, type ProjectRow } from '../catalog/projects.ts';
import { findUserName } from '../catalog/tokens.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import type { FoundStanding, Standing } from '../engines/standing.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';

/** What writing beside the data what it is uses. */
export interface StandingDeps {
  readonly catalog: Catalog;
  readonly engines: EngineDirectory;
  readonly clock: Clock;
  readonly log: Log;
}

type StoredProject = Pick<
  ProjectRow,
  'id' | 'hash' | 'slug' | 'engine' | 'attached' | 'migration_state' | 'owner_id' | 'sealed_secrets' | 'created_at'
>;

/** Where the data of a project is, by the catalog: its engine, and the pool that it has left. */
function standingsOf(row: Pick<ProjectRow, 'engine' | 'attached' | 'migration_state'>): ReadonlyMap<EngineKind, Standing['standing']> {
  if (row.attached) return new Map();
  const hasLeft = row.engine === 'v1_dedicated' && (row.migration_state === 'source_kept' || row.migration_state === 'dropping_source');
  return new Map([[row.engine, 'live' as const], ...(hasLeft ? [['v2_shared', 'left'] as const] : [])]);
}

/**
 * Writes beside the data of a project that it is live. Called after the commit that made it so, because what lies there is believed
 * against the catalog. Never throws: the next start writes what is missing.
 */
export async function declareLive(deps: StandingDeps, row: StoredProject): Promise<void> {
  try {
    for (const [kind, standing] of standingsOf(row)) await declare(deps, row, kind, standing);
  } catch (error) {
    deps.log.warn({ err: error, project: row.hash }, 'what a project is could not be written beside its data; the next start tries again');
  }
}

/** Writes beside the data of a project that its removal was cleared; before the catalog says so, so that it is never stuck. */
export async function declareRemoving(deps: StandingDeps, row: StoredProject, kinds: readonly EngineKind[]): Promise<void> {
  if (!row.attached) for (const kind of kinds) await declare(deps, row, kind, 'removing');
}

/** Writes what is missing or differs from the catalog, for every live project. Call when the catalog is known to be no older than the data. */
export async function declareAll(deps: StandingDeps): Promise<void> {
  const found = new Map<string, FoundStanding>();
  for (const kind of ['v1_dedicated', 'v2_shared'] as const) {
    try {
      for (const { found: standing } of await deps.engines.standingOf(kind).list())
        if (standing !== 'unreadable') found.set(`${kind} ${standing.project.id}`, standing);
    } catch (error) {
      deps.log.warn({ err: error, engine: kind }, 'what its projects are could not be read; the next start tries again');
      return;
    }
  }
  for (const row of await listLiveProjects(deps.catalog.db)) {
    const isComplete = [...standingsOf(row)].every(([kind, wanted]) => {
      const there = found.get(`${kind} ${row.id}`);
      return typeof there === 'object' && there.standing === wanted;
    });
    if (!isComplete) await declareLive(deps, row);
  }
}

async function declare(deps: StandingDeps, row: StoredProject, kind: EngineKind, standing: Standing['standing']): Promise<void> {
  await deps.engines.standingOf(kind).write({
    format: 1,
    standing,
    at: deps.clock.now().toISOString(),
    project: {
      id: row.id,
      hash: row.hash,
      slug: row.slug,
      engine: kind,
      owner: await findUserName(deps.catalog.db, row.owner_id),
      createdAt: row.created_at.toISOString(),
      sealedSecrets: row.sealed_secrets.toString('base64'),
    },
  });
}
