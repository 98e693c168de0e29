import type { ProjectId } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import type { Catalog, DatabaseTransaction } from '../catalog/open.ts';
import { listLiveProjects, lockProject, type ProjectRow } from '../catalog/projects.ts';
import { findUserName } from '../catalog/tokens.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import { type FoundStanding, listInTime, type Standing } from '../engines/standing.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';

/** What writing beside the data what it is uses. */
export interface StandingDeps {
  readonly catalog: Catalog;
  readonly engines: EngineDirectory;
  readonly clock: Clock;
  readonly log: Log;
}

/** Where the data of a project is, by the catalog: its engine, and the pool that it has left. */
function standingsOf(row: Pick<ProjectRow, 'engine' | 'attached' | 'migration_state'>): ReadonlyMap<EngineKind, Standing['standing']> {
  if (row.attached) return new Map();
  const hasLeft = row.engine === 'v1_dedicated' && (row.migration_state === 'source_kept' || row.migration_state === 'dropping_source');
  return new Map([[row.engine, 'live' as const], ...(hasLeft ? [['v2_shared', 'left'] as const] : [])]);
}

/**
 * Writes beside the data of a project where it is live, as the catalog says at that moment; nothing when it is not live. Its row is locked
 * meanwhile: what changes the place writes its own word under the same lock, and a commit whose answer was lost is waited for.
 */
export async function declareStanding(deps: StandingDeps, id: ProjectId): Promise<void> {
  await deps.catalog.db.transaction().execute(async (db) => {
    const row = await lockProject(db, id);
    if (row?.lifecycle !== 'active') return;
    for (const [kind, standing] of standingsOf(row)) await declare(deps, db, row, kind, standing);
  });
}

/**
 * `declareStanding` after the commit that made a project live, because what lies beside the data is believed against the catalog. Never
 * throws: the next start writes what is missing.
 */
export async function declareLive(deps: StandingDeps, { id, hash }: Pick<ProjectRow, 'id' | 'hash'>): Promise<void> {
  try {
    await declareStanding(deps, id);
  } catch (error) {
    deps.log.warn({ err: error, project: hash }, 'what a project is could not be written beside its data; the next start tries again');
  }
}

/**
 * Writes beside the data of a project that its removal was cleared, or that it has left the pool. The last statement before the commit that
 * says so, in its transaction, whose changes have locked the row: after a crash between the two nothing is live, which neither stops a
 * start nor has anything adopted, and the next start writes what the catalog says.
 */
export async function declareEnded(
  deps: StandingDeps,
  db: DatabaseTransaction,
  row: ProjectRow,
  ended: { readonly standing: 'removing' | 'left'; readonly kinds: readonly EngineKind[]; readonly signal: AbortSignal },
): Promise<void> {
  if (!row.attached) for (const kind of ended.kinds) await declare(deps, db, row, kind, ended.standing, ended.signal);
}

/** Writes what is missing or differs from the catalog, for every live project. Call when the catalog is known to be no older than the data. */
export async function declareAll(deps: StandingDeps): Promise<void> {
  const found = new Map<string, FoundStanding>();
  for (const kind of ['v1_dedicated', 'v2_shared'] as const) {
    try {
      for (const { found: standing } of await listInTime(deps.engines.standingOf(kind)))
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

async function declare(
  { engines, clock }: StandingDeps,
  db: DatabaseTransaction,
  row: ProjectRow,
  kind: EngineKind,
  standing: Standing['standing'],
  signal?: AbortSignal,
): Promise<void> {
  const project = {
    id: row.id,
    hash: row.hash,
    slug: row.slug,
    engine: kind,
    owner: await findUserName(db, row.owner_id),
    createdAt: row.created_at.toISOString(),
    sealedSecrets: row.sealed_secrets.toString('base64'),
  };
  await engines.standingOf(kind).write({ format: 1, standing, at: clock.now().toISOString(), project }, signal);
}
