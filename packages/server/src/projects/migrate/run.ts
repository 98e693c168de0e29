import type { MigrateResult } from '@flux/contract/migrate';
import { abandonBackups } from '../../backups/abandon.ts';
import { backUpPresentState } from '../../backups/restore/present.ts';
import { type ProjectRow, setMigrationState } from '../../catalog/projects.ts';
import { defineOperation, type Order, type Task } from '../../operations/define.ts';
import type { RestoreDoors } from '../restore/into-staging.ts';
import { copyToDedicated, dedicatedOf } from './copy.ts';
import { dropSource, moveToDedicated } from './move.ts';
import { isDone, MigrationRequest } from './plan.ts';
import { NOTHING } from './result.ts';
import { discardStaged, takeBack } from './take-back.ts';

const NOTE = 'before the migration to v1_dedicated';

/** Moves a pooled project to a Postgres server of its own. Whatever fails leaves it as it was, running and writable. */
export const migrate = defineOperation({
  kind: 'migrate',
  request: MigrationRequest,
  touches: 'project',
  runsOn: 'project host',
  audit: ({ project, request }) => ({ action: 'project.migrate', subject: project.slug, details: request.order }),
  afterWorkerLoss: 'end',
  run: async (doors: RestoreDoors, order, task) => {
    const { plan, preflight } = order.request;
    return { ok: true, plan, preflight, result: await runMigration(doors, order, task) };
  },
  onInterrupted: (doors, db, order, reason) => abandonBackups(doors.backups, db, order, reason),
});

async function runMigration(
  doors: RestoreDoors,
  { project: row, request, requester }: Order<MigrationRequest>,
  task: Task,
): Promise<MigrateResult> {
  const { how, dropSourceAfter } = request.order;
  if (row.engine === 'v1_dedicated') {
    if (isDone(row) || !dropSourceAfter) return { ...NOTHING, sourceKept: row.migration_state !== null };
    return await dropSource(doors, row, { ...request, requester }, task);
  }
  // What an earlier migration has left is of an earlier state.
  if (row.migration_state === 'copying') await takeBack(doors.projects, row.id);
  if (row.migration_state === 'staged' && how !== 'dump_only') await discardStaged(doors.projects, row.id);
  switch (how) {
    case 'discard_staged':
      return { ...NOTHING, did: row.migration_state === null ? 'nothing' : 'discarded' };
    case 'dump_only':
      return { ...NOTHING, did: 'dumped', backupId: await backUpPresentState(doors.backups, row, { note: NOTE }, task) };
    case 'staged':
      return await stage(doors, row, task);
    default:
      return await moveToDedicated(doors, row, { ...request, requester }, task, NOTE);
  }
}

async function stage(doors: RestoreDoors, row: ProjectRow, task: Task): Promise<MigrateResult> {
  const backupId = await backUpPresentState(doors.backups, row, { note: NOTE }, task);
  await setMigrationState(doors.projects.catalog.db, row.id, 'copying');
  try {
    const copied = await copyToDedicated(doors, row, backupId, task);
    const { host, port, database, user } = await dedicatedOf(doors.projects, row).credentials();
    await setMigrationState(doors.projects.catalog.db, row.id, 'staged');
    return { ...NOTHING, did: 'staged', backupId, ...copied, staged: { host, port, database, user } };
  } catch (error) {
    await takeBack(doors.projects, row.id).catch((failure) =>
      doors.projects.log.warn({ err: failure, project: row.hash }, 'an incomplete copy was left behind'),
    );
    throw error;
  }
}
