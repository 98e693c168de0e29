import { isFluxError } from '@flux/contract/errors';
import type { Changes } from '@flux/contract/gate';
import type { BackupId } from '@flux/contract/ids';
import { findChangeMarks } from '../catalog/change-marks.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { ChangeMarks } from '../postgres/change-marks.ts';
import type { CreateDeps } from './create.ts';

/** A server that does not answer must not delay an answer that is only informational. */
const TIMEOUT_MS = 10_000;

/** How much of a project has changed since a backup, as counted by Postgres. Never throws: the answer says why it is unknown. */
export async function readChangesSince(
  deps: Pick<CreateDeps, 'catalog' | 'engines'>,
  row: ProjectRow,
  backupId: BackupId,
  signal: AbortSignal,
): Promise<Changes> {
  if (row.lifecycle !== 'active') return { known: false, why: `${row.slug} is ${row.lifecycle}` };
  const stored = await findChangeMarks(deps.catalog.db, backupId);
  if (stored === undefined) return { known: false, why: 'nothing was counted when that backup was taken' };
  const then = ChangeMarks.safeParse(stored);
  if (!then.success) return { known: false, why: 'what was counted when that backup was taken cannot be read' };
  try {
    const { engine, project } = deps.engines.of(row);
    const now = await engine.readChangeMarks(project, AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]));
    return changesBetween(then.data, now);
  } catch (error) {
    signal.throwIfAborted();
    return { known: false, why: isFluxError(error) ? error.message : 'the database did not answer' };
  }
}

/** Compares two readings of the counters. When they are not comparable, the answer says why. */
export function changesBetween(then: ChangeMarks, now: ChangeMarks): Changes {
  const unknown = (why: string): Changes => ({ known: false, why });
  if (!then.isCounting || !now.isCounting) return unknown('Postgres does not count changes here (track_counts is off)');
  if (then.place !== now.place) return unknown('the data has been replaced as a whole since');
  if (then.serverResetAt === null || then.serverResetAt !== now.serverResetAt)
    return unknown('the counters of Postgres have been reset since, for example by a crash');
  if (then.databaseResetAt !== now.databaseResetAt) return unknown('the statistics of Postgres have been reset since');
  const changes = { rowsInserted: 0, rowsUpdated: 0, rowsDeleted: 0, tablesCreated: 0, tablesRewritten: 0 };
  for (const [oid, [filenode, inserted, updated, deleted]] of Object.entries(now.tables)) {
    const before = then.tables[oid];
    const [oldFile, ...old] = before ?? [filenode, 0, 0, 0];
    const [rowsInserted, rowsUpdated, rowsDeleted] = [inserted - (old[0] ?? 0), updated - (old[1] ?? 0), deleted - (old[2] ?? 0)];
    if (Math.min(rowsInserted, rowsUpdated, rowsDeleted) < 0) return unknown('a counter of Postgres has decreased since');
    changes.rowsInserted += rowsInserted;
    changes.rowsUpdated += rowsUpdated;
    changes.rowsDeleted += rowsDeleted;
    if (before === undefined) changes.tablesCreated += 1;
    else if (oldFile !== filenode) changes.tablesRewritten += 1;
  }
  const tablesDropped = Object.keys(then.tables).filter((oid) => now.tables[oid] === undefined).length;
  return { known: true, ...changes, tablesDropped };
}
