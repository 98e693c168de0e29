import { type MeasureAttempts, measureSome, type QuotaDeps } from '../backups/quota.ts';
import { forgetIdempotencyKeys } from '../catalog/idempotency.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import type { InstanceRuntime } from '../instances/instance.ts';
import type { ExpiryClock } from '../system/expiry-clock.ts';
import type { Log } from '../system/log.ts';
import type { Troubles } from '../system/troubles.ts';

/** What tidying uses. */
export interface TidyDeps {
  readonly engines: Pick<EngineDirectory, 'emptyTrash'>;
  readonly runtime: Pick<InstanceRuntime, 'emptyTrash'>;
  readonly expiryClock: ExpiryClock;
  /** For how long what was removed by the catalog's word alone is kept. */
  readonly trashKeepMs: number;
  readonly troubles: Troubles;
  readonly log: Log;
}

/** Does now and then what each server has to do itself. Never throws. */
export async function tidy({ engines, runtime, expiryClock, trashKeepMs, troubles, log }: TidyDeps): Promise<void> {
  // First, and whatever becomes of the rest: on a full disk nothing can be written before something is deleted.
  const empty = async (trash: Pick<InstanceRuntime, 'emptyTrash'>, nameOf: (name: string) => string) => {
    const failures: Error[] = [];
    const onProblem = (name: string, cause: unknown) => {
      failures.push(new Error(`${nameOf(name)}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause }));
    };
    for (const name of await trash.emptyTrash(trashKeepMs, expiryClock.now(), onProblem))
      log.info({ name }, 'deleted what had lain in the trash');
    if (failures.length > 0) throw new AggregateError(failures, `could not delete ${failures.length} of the trash`);
  };
  await troubles.attempt('emptying the trash', () => empty(runtime, (name) => `trash/${name}`));
  await troubles.attempt('emptying the trash of the pool', () => empty(engines, (name) => `the schemas and roles ${name}…`));
  await troubles.attempt('remembering the time', () => expiryClock.remember());
}

/** Does each minute what one of the servers that share a catalog has to do. Never throws. */
export async function doMinuteWork(
  deps: QuotaDeps & Pick<TidyDeps, 'expiryClock'>,
  attempts: MeasureAttempts,
  signal: AbortSignal,
): Promise<void> {
  await attempt(deps.log, 'forgetting old Idempotency-Keys', () => forgetIdempotencyKeys(deps.catalog.db, deps.expiryClock.now()));
  await attempt(deps.log, 'measuring projects', () => measureSome(deps, attempts, signal));
}

/** One part of some work: that it fails is logged, and the others are done all the same. */
async function attempt(log: Log, what: string, work: () => Promise<void>): Promise<void> {
  await work().catch((error) => log.warn({ err: error }, `${what} failed`));
}
