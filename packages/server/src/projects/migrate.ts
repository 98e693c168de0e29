import { FluxError } from '@flux/contract/errors';
import type { OperationId } from '@flux/contract/ids';
import type { MigrateAnswer, MigrateRequest, MigrateResult } from '@flux/contract/migrate';
import { abandonBackups } from '../backups/abandon.ts';
import { type Clearance, precheckGate, redeemClearance, refuseShutGate, requireGate } from '../backups/gate.ts';
import { overrideOf } from '../backups/override.ts';
import type { LendingDeps } from '../backups/reading.ts';
import { type SafetyBackupDeps, takeSafetyBackup } from '../backups/restore/safety-backup.ts';
import type { BlobStore } from '../blobs/store.ts';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import type { Catalog } from '../catalog/open.ts';
import { flipEngine, lockProject, type ProjectRow, setMigrationState } from '../catalog/projects.ts';
import { requireCapability } from '../engines/capabilities.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import { defineOperation, type Order, type Task } from '../operations/define.ts';
import { type RequestDeps, requestOperation } from '../operations/request.ts';
import type { Log } from '../system/log.ts';
import { requireActive } from './active.ts';
import { requireOneHome } from './home.ts';
import { type CleanUpDeps, discardStaged, removeSource, rollBackMove } from './migrate/clean-up.ts';
import { copyToDedicated, dedicatedOf, setSequences } from './migrate/copy.ts';
import { type MigrationChoices, orderOf } from './migrate/order.ts';
import { isDone, MigrationRequest, planMigration, refuseBlocked } from './migrate/plan.ts';
import type { StagingDeps } from './restore/staging.ts';
import { declareEnded, declareLive } from './standing.ts';

/** What a migration uses: the parts of its phases. */
export interface MigrateDeps {
  readonly catalog: Catalog;
  readonly engines: EngineDirectory;
  /** For the gate, and for the backup that is restored into the new server. */
  readonly artifacts: LendingDeps;
  readonly safetyBackup: SafetyBackupDeps;
  readonly staging: StagingDeps;
  readonly log: Log;
}

/** Moves a pooled project to a Postgres server of its own. A failure leaves it as it was, running and writable. */
export const migrate = defineOperation({
  kind: 'migrate',
  lane: 'change',
  request: MigrationRequest,
  touches: 'project',
  runsOn: 'project host',
  audit: ({ project, request }) => ({ action: 'project.migrate', subject: project.slug, details: request.order }),
  afterWorkerLoss: 'end',
  run: async (deps: MigrateDeps, order, task) => {
    const { plan, preflight } = order.request;
    return { ok: true, plan, preflight, result: await runMigration(deps, order, task) };
  },
  onInterrupted: (deps, db, order, reason) => abandonBackups(deps.artifacts, db, order, reason),
});

/** What a migration would do, and what blocks it. Changes nothing. @throws FluxError `invalid_request`, `not_ready` */
export async function previewMigration(
  { engines }: Pick<MigrateDeps, 'engines'>,
  row: ProjectRow,
  choices: Omit<MigrationChoices, 'how'>,
): Promise<MigrateAnswer> {
  requireActive(row);
  const { plan, preflight } = await planMigration(engines, row, orderOf(row, { ...choices, how: 'dry_run' }));
  const ok = preflight.every(({ severity }) => severity !== 'blocks');
  return { ok, plan, preflight: [...preflight], result: null };
}

/**
 * Surveys the project, refuses what is known to fail, records the migration and enqueues it.
 *
 * @throws FluxError `invalid_request`, `not_ready`, `gate_refused`, `busy`
 */
export async function requestMigration(
  deps: RequestDeps & { readonly engines: EngineDirectory; readonly store: BlobStore },
  row: ProjectRow,
  requester: Actor,
  body: MigrateRequest,
): Promise<OperationId> {
  requireActive(row);
  const order = orderOf(row, body);
  await requireOneHome(deps.catalog);
  const { plan, preflight } = await planMigration(deps.engines, row, order);
  refuseBlocked(row, preflight);
  const override = overrideOf(body);
  // A removal that has begun was cleared when it began.
  if (order.dropSourceAfter && row.migration_state !== 'dropping_source' && !isDone(row)) {
    await refuseShutGate(deps, row, 'migrate_drop_source', override);
  }
  const request = { order, override, plan, preflight: [...preflight] };
  return requestOperation(deps, migrate, async () => ({ project: row, requester, request }));
}

/** The result of a migration that did nothing. */
const NOTHING: MigrateResult = {
  did: 'nothing',
  backupId: null,
  tablesCompared: 0,
  rowsCompared: 0,
  notes: [],
  writesHeldMs: null,
  outageMs: null,
  sourceKept: false,
  staged: null,
};
const SAFETY_BACKUP = { note: 'before the migration to v1_dedicated' };

async function runMigration(deps: MigrateDeps, order: Order<MigrationRequest>, task: Task): Promise<MigrateResult> {
  const { project: row, request } = order;
  const { how, dropSourceAfter } = request.order;
  if (row.engine === 'v1_dedicated') {
    if (isDone(row) || !dropSourceAfter) return { ...NOTHING, sourceKept: row.migration_state !== null };
    return await dropSource(deps, order, task);
  }
  // A copy that an earlier migration has left is of an earlier state of the data.
  if (row.migration_state === 'copying') await rollBackMove(forCleanUp(deps), row.id);
  if (row.migration_state === 'staged' && how !== 'dump_only') await discardStaged(forCleanUp(deps), row.id);
  switch (how) {
    case 'discard_staged':
      return { ...NOTHING, did: row.migration_state === null ? 'nothing' : 'discarded' };
    case 'dump_only':
      return { ...NOTHING, did: 'dumped', backupId: await takeSafetyBackup(deps.safetyBackup, row, SAFETY_BACKUP, task) };
    case 'staged':
      return await stage(deps, row, task);
    default:
      return await move(deps, order, task);
  }
}

/** Leaves a dedicated copy for inspection; the project stays in the pool. */
async function stage(deps: MigrateDeps, row: ProjectRow, task: Task): Promise<MigrateResult> {
  const backupId = await takeSafetyBackup(deps.safetyBackup, row, SAFETY_BACKUP, task);
  await setMigrationState(deps.catalog.db, row.id, 'copying');
  return await orRollBack(deps, row, async () => {
    const copied = await copyToDedicated(deps, row, backupId, task);
    const { host, port, database, user } = await dedicatedOf(deps.engines, row).credentials();
    await setMigrationState(deps.catalog.db, row.id, 'staged');
    return { ...NOTHING, did: 'staged', backupId, ...copied, staged: { host, port, database, user } };
  });
}

/**
 * Moves the project. The copy is built beside the live data while writers wait; the flip is one transaction of the catalog, and from
 * its commit on the project is the copy. A failure before it rolls everything back.
 */
async function move(deps: MigrateDeps, order: Order<MigrationRequest>, task: Task): Promise<MigrateResult> {
  const { project: row, request, requester } = order;
  const { lockWrites, dropSourceAfter } = request.order;
  const { engine, project } = deps.engines.of(row);
  const pool = requireCapability(engine, 'pooled', project);
  if (dropSourceAfter) await precheckGate(deps.artifacts, row, 'migrate_drop_source', request.override, task.signal);
  await setMigrationState(deps.catalog.db, row.id, 'copying');
  const moved = await orRollBack(deps, row, async () => {
    task.progress({ phase: 'block', message: lockWrites ? 'Waiting for writers to end' : 'Leaving writers alone' });
    await using block = lockWrites ? await pool.blockWrites(project, task.signal) : undefined;
    const blockedAt = performance.now();
    // Grants that the dump needs are changes too, so they come before the state.
    await engine.backupSource(project, task.signal);
    const before = lockWrites ? await pool.readState(project, task.signal) : undefined;
    const backupId = await takeSafetyBackup(deps.safetyBackup, row, SAFETY_BACKUP, task);
    const clearance = dropSourceAfter ? await clear(deps, order, task) : null;
    const copied = await copyToDedicated(deps, row, backupId, task);

    task.progress({ phase: 'flip', message: 'Flipping the project to its own server' });
    task.signal.throwIfAborted();
    const closedAt = performance.now();
    await pool.closeLogins(project, task.signal);
    await block?.assertUnbroken();
    if (before !== undefined) refuseChanged(row, await pool.listChanges(project, before, task.signal));
    // No lock stops a sequence: what it has handed out until now must not come again.
    await setSequences(deps.engines, row, await pool.readSequences(project, task.signal), task.signal);
    await flip(deps, row, clearance, requester, task);
    await declareLive(forCleanUp(deps), row);
    const now = performance.now();
    const times = { writesHeldMs: lockWrites ? Math.round(now - blockedAt) : null, outageMs: Math.round(now - closedAt) };
    return { ...NOTHING, did: 'migrated' as const, backupId, ...copied, ...times, sourceKept: true };
  });
  if (!dropSourceAfter) return moved;
  task.progress({ phase: 'drop', message: 'Removing the pooled schema' });
  try {
    await removeSource(deps, { ...row, engine: 'v1_dedicated' });
    return { ...moved, sourceKept: false };
  } catch (error) {
    // The project has moved; only the removal has to be run again.
    const why = error instanceof Error ? error.message : String(error);
    return { ...moved, notes: [...moved.notes, `The pooled schema is still there: ${why} Run the same command again to remove it.`] };
  }
}

/** @throws FluxError `not_ready` when the copy lacks what was done while it was made */
function refuseChanged(row: ProjectRow, changes: readonly string[]): void {
  if (changes.length === 0) return;
  const named = changes.slice(0, 3).join(', ') + (changes.length > 3 ? ` and ${changes.length - 3} more` : '');
  throw new FluxError(
    'not_ready',
    `While ${row.slug} was copied, something was created, altered or dropped that no lock stops: ${named}. The copy lacks it, so the project was not moved: it is as it was, and has all of it.`,
    { hint: 'Run the same command again; if it happens again, end the sessions that do this first.', details: { changes } },
  );
}

/** What cannot be rolled back now is tried again when interrupted migrations are looked for. */
async function orRollBack(deps: MigrateDeps, row: ProjectRow, work: () => Promise<MigrateResult>): Promise<MigrateResult> {
  try {
    return await work();
  } catch (error) {
    await rollBackMove(forCleanUp(deps), row.id).catch((failure) =>
      deps.log.warn({ err: failure, project: row.hash }, 'an incomplete copy was left behind'),
    );
    throw error;
  }
}

function forCleanUp({ catalog, engines, artifacts, log }: MigrateDeps): CleanUpDeps {
  return { catalog, engines, clock: artifacts.clock, log };
}

/** Makes the copy the project. Tells by the catalog whether that was done, when the answer to the commit was lost. */
async function flip(deps: MigrateDeps, row: ProjectRow, clearance: Clearance | null, actor: Actor, task: Task): Promise<void> {
  const { catalog, log } = deps;
  const commit = catalog.db.transaction().execute(async (db) => {
    await task.requireHeld(db);
    if (clearance !== null) await redeemClearance(db, clearance, row, 'migrate_drop_source', actor);
    if (!(await flipEngine(db, row.id, clearance === null ? 'source_kept' : 'dropping_source')))
      throw new FluxError('not_ready', `${row.slug} is not being migrated any more.`, { hint: 'See `flux list`.' });
    const details = { from: 'v2_shared', to: 'v1_dedicated' };
    await recordAudit(db, actor, { action: 'project.migrated', projectId: row.id, subject: row.slug, details });
    await declareEnded(forCleanUp(deps), db, row, { standing: 'left', kinds: ['v2_shared'], signal: task.signal });
  });
  await commit.catch(async (error) => {
    const now = await catalog.db
      .transaction()
      .execute((db) => lockProject(db, row.id))
      .catch(() => undefined);
    if (now?.engine !== 'v1_dedicated') throw error;
    log.warn({ err: error, project: row.hash }, 'the answer to the commit of a move was lost; the project has moved');
  });
}

/** Removes the pooled schema that an earlier migration has retained. @throws FluxError `gate_refused` */
async function dropSource(deps: MigrateDeps, order: Order<MigrationRequest>, task: Task): Promise<MigrateResult> {
  const { project: row, requester } = order;
  if (row.migration_state === 'source_kept') {
    const clearance = await clear(deps, order, task);
    await deps.catalog.db.transaction().execute(async (db) => {
      await task.requireHeld(db);
      await redeemClearance(db, clearance, row, 'migrate_drop_source', requester);
      await setMigrationState(db, row.id, 'dropping_source');
      await recordAudit(db, requester, { action: 'project.drop_source', projectId: row.id, subject: row.slug });
    });
  }
  await removeSource(deps, row);
  return { ...NOTHING, did: 'dropped_source' };
}

async function clear(deps: MigrateDeps, { project, request }: Order<MigrationRequest>, task: Task): Promise<Clearance> {
  return await requireGate(deps.artifacts, project, 'migrate_drop_source', request.override, task.signal);
}
