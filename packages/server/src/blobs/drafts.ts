import { randomUUID } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TEMPORARY_PREFIX, temporaryNameFor } from '../system/atomic-file.ts';

/** The temporary path of a file until it is complete: hidden, in the same folder, and named after the worker that writes it. */
export function draftPathFor(finalPath: string, workerId: string): string {
  return temporaryNameFor(finalPath, `${workerId}-${randomUUID().slice(0, 8)}`);
}

const WORKER = new RegExp(`^${TEMPORARY_PREFIX.replaceAll('.', '\\.')}([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-`);

/** Whether a worker may still be writing. Asked once per worker in a sweep. */
export type IsWorkerAlive = (workerId: string) => Promise<boolean>;

/** Caches the answers, so that a thousand drafts of one worker need one query. */
export function askOnce(isAlive: IsWorkerAlive): IsWorkerAlive {
  const answers = new Map<string, Promise<boolean>>();
  return (workerId) => {
    const answer = answers.get(workerId) ?? isAlive(workerId);
    answers.set(workerId, answer);
    return answer;
  };
}

/**
 * Removes the drafts in one folder, except those of live workers. A draft without the id of a worker was left by an older version of
 * Flux, so nobody is writing it.
 *
 * @returns what could not be removed; a missing folder counts as empty
 */
export async function removeDeadDrafts(folder: string, isAlive: IsWorkerAlive): Promise<readonly Error[]> {
  const failures: Error[] = [];
  const record = (path: string) => (error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    failures.push(new Error(`${path}: ${(error as Error).message}`));
  };
  const names = await readdir(folder).catch((error) => record(folder)(error));
  for (const name of names ?? []) {
    if (!name.startsWith(TEMPORARY_PREFIX)) continue;
    const workerId = WORKER.exec(name)?.[1];
    if (workerId !== undefined && (await isAlive(workerId))) continue;
    const path = join(folder, name);
    await rm(path, { force: true }).catch(record(path));
  }
  return failures;
}

/** @throws AggregateError when anything could not be removed */
export function throwIfAny(failures: readonly Error[]): void {
  if (failures.length > 0) throw new AggregateError(failures, `could not remove ${failures.length} temporary files of backups`);
}
