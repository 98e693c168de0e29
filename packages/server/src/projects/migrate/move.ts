import { FluxError } from '@flux/contract/errors';
import type { MigrateResult } from '@flux/contract/migrate';
import { type Clearance, precheckGate, redeemClearance, requireGate } from '../../backups/gate.ts';
import { backUpPresentState } from '../../backups/restore/present.ts';
import { type Actor, recordAudit } from '../../catalog/audit.ts';
import { flipEngine, type ProjectRow, setMigrationState } from '../../catalog/projects.ts';
import { requireCapability } from '../../engines/capabilities.ts';
import type { Task } from '../../operations/define.ts';
import type { RestoreDoors } from '../restore/into-staging.ts';
import { copyToDedicated } from './copy.ts';
import type { MigrationRequest } from './plan.ts';
import { NOTHING } from './result.ts';
import { removeSource, takeBack } from './take-back.ts';

/**
 * Moves a pooled project to a server of its own. Everything happens beside the live data while writers wait; the flip is one
 * transaction of the catalog, and from its commit on the project is the copy. Before it, whatever fails takes everything back.
 */
export async function moveToDedicated(
  doors: RestoreDoors,
  row: ProjectRow,
  request: MoveRequest,
  task: Task,
  note: string,
): Promise<MigrateResult> {
  const { projects } = doors;
  const { lockWrites, dropSourceAfter } = request.order;
  const { engine, project } = projects.engines.of(row);
  const pool = requireCapability(engine, 'pooled', project);
  if (dropSourceAfter) await precheckGate(doors.backups, row, 'migrate_drop_source', request.override, task.signal);
  await setMigrationState(projects.catalog.db, row.id, 'copying');
  let moved: MigrateResult;
  try {
    task.progress({ phase: 'hold', message: lockWrites ? 'Waiting for writers to end' : 'Leaving writers alone' });
    await using block = lockWrites ? await pool.blockWrites(project, task.signal) : undefined;
    const held = performance.now();
    const backupId = await backUpPresentState(doors.backups, row, { note }, task);
    const clearance = dropSourceAfter ? await clear(doors, row, request, task) : null;
    const copied = await copyToDedicated(doors, row, backupId, task);
    task.progress({ phase: 'flip', message: 'Flipping the project to its own server' });
    task.signal.throwIfAborted();
    const closed = performance.now();
    await pool.closeLogins(project, task.signal);
    await block?.assertUnbroken();
    await flip(doors, row, clearance, request.requester);
    const now = performance.now();
    const times = { writesHeldMs: lockWrites ? Math.round(now - held) : null, outageMs: Math.round(now - closed) };
    moved = { ...NOTHING, did: 'migrated', backupId, ...copied, ...times, sourceKept: true };
  } catch (error) {
    // What cannot be taken back now is tried again by the next look for interrupted migrations.
    await takeBack(projects, row.id).catch((failure) =>
      projects.log.warn({ err: failure, project: row.hash }, 'an incomplete copy was left behind'),
    );
    throw error;
  }
  if (!dropSourceAfter) return moved;
  task.progress({ phase: 'drop', message: 'Removing the pooled schema' });
  try {
    await removeSource(projects, { ...row, engine: 'v1_dedicated' });
    return { ...moved, sourceKept: false };
  } catch (error) {
    // The project has moved; only the removal has to be run again.
    const why = error instanceof Error ? error.message : String(error);
    return { ...moved, notes: [...moved.notes, `The pooled schema is still there: ${why} Run the same command again to remove it.`] };
  }
}

/** Removes what a migration has left behind in the pool. @throws FluxError `gate_refused` */
export async function dropSource(doors: RestoreDoors, row: ProjectRow, request: MoveRequest, task: Task): Promise<MigrateResult> {
  const { db } = doors.projects.catalog;
  if (row.migration_state === 'source_kept') {
    const clearance = await clear(doors, row, request, task);
    await db.transaction().execute(async (transaction) => {
      await redeemClearance(transaction, clearance, row, 'migrate_drop_source', request.requester);
      await setMigrationState(transaction, row.id, 'dropping_source');
      await recordAudit(transaction, request.requester, { action: 'project.drop_source', projectId: row.id, subject: row.slug });
    });
  }
  await removeSource(doors.projects, row);
  return { ...NOTHING, did: 'dropped_source' };
}

/** A recorded request, and who made it. */
type MoveRequest = MigrationRequest & { readonly requester: Actor };

async function clear(doors: RestoreDoors, row: ProjectRow, request: MoveRequest, task: Task): Promise<Clearance> {
  return await requireGate(doors.backups, row, 'migrate_drop_source', request.override, task.signal);
}

async function flip({ projects }: RestoreDoors, row: ProjectRow, clearance: Clearance | null, actor: Actor): Promise<void> {
  await projects.catalog.db.transaction().execute(async (db) => {
    if (clearance !== null) await redeemClearance(db, clearance, row, 'migrate_drop_source', actor);
    if (!(await flipEngine(db, row.id, clearance === null ? 'source_kept' : 'dropping_source')))
      throw new FluxError('not_ready', `${row.slug} is not being migrated any more.`, { hint: 'See `flux list`.' });
    await recordAudit(db, actor, {
      action: 'project.migrated',
      projectId: row.id,
      subject: row.slug,
      details: { from: 'v2_shared', to: 'v1_dedicated' },
    });
  });
}
