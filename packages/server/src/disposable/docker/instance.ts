import { chmod } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { FluxError, isFluxError } from '@flux/contract/errors';
import { awaitSession } from '../../instances/await-session.ts';
import { engineError } from '../../instances/docker/engine.ts';
import { RUN_PROGRAM } from '../../instances/docker/scripts.ts';
import { SUPERUSER } from '../../instances/names.ts';
import { libpqOptions } from '../../postgres/session-settings.ts';
import { libpqEnvironment, type PostgresTarget } from '../../postgres/target.ts';
import type { ProcessOptions, ProcessResult } from '../../system/process.ts';
import { PreloadNeeded, requireHost } from '../preload.ts';
import type { DisposableInstance, DisposableRequest, LimitExceeded } from '../provider.ts';
import { createRestoreDatabase, RESTORE_DATABASE, readServerVersion, setMoneyLocale } from '../restore-database.ts';
import { hasCrashInWords, limitInWords } from '../server-words.ts';
import { type DisposableSetting, INSIDE } from './container.ts';
import { memoryExceeded, runInside, startDisposable } from './server.ts';
import { startWatchdog } from './watchdog.ts';

const IMAGE = {
  name: 'The image',
  hint: 'Set FLUX_BACKUP_VERIFY_POSTGRES_IMAGE to an image that has it.',
};

/**
 * Starts a disposable container and returns when its database exists.
 *
 * @param removeFolders called after the container has been removed
 * @throws FluxError `sandbox_unavailable`, `verification_inconclusive`; PreloadNeeded; the reason of the request's signal
 */
export async function openDisposable(
  setting: DisposableSetting,
  request: DisposableRequest,
  removeFolders: () => Promise<void>,
): Promise<DisposableInstance> {
  const { engine, limits } = setting;
  const gone = new AbortController();
  let exceeded: LimitExceeded | undefined;
  let hasCrashed = false;
  let isReady = false;
  let removal: Promise<void> | undefined;

  const server = await startDisposable(setting).catch((error: unknown) => {
    throw engineError(error, engine, 'sandbox_unavailable');
  });
  const end = (limit?: LimitExceeded) => {
    exceeded ??= limit;
    watchdog.stop();
    gone.abort(
      new FluxError(
        'verification_inconclusive',
        exceeded === undefined ? 'The disposable Postgres has been removed.' : `The restore was stopped: ${exceeded.message}.`,
      ),
    );
    removal ??= server.remove();
    // Dispose reports the error; here it must not become an unhandled rejection.
    removal.catch(() => undefined);
  };
  const watchdog = startWatchdog(server.container, limits, setting.memoryBytes === null, end);
  server.outOfMemory.addEventListener('abort', () => end(memoryExceeded(limits)), { once: true });
  void server.exited.then(async () => {
    if (gone.signal.aborted) return;
    hasCrashed = isReady;
    end(await server.findLimit());
  });
  const onAbort = () => end();
  request.signal.addEventListener('abort', onAbort, { once: true });
  const dispose = async () => {
    request.signal.removeEventListener('abort', onAbort);
    end();
    try {
      await removal;
    } catch (error) {
      // What Docker could not remove now has our label, and the next sweep removes it.
      throw engineError(error, engine, 'sandbox_unavailable');
    } finally {
      await removeFolders();
    }
  };
  /** Waits briefly for the cause (a limit, a crash) to be reported before a failure is judged. */
  const settle = async () => {
    await watchdog.look();
    const limit = await server.findLimit();
    if (limit !== undefined && !gone.signal.aborted) end(limit);
    await Promise.race([server.exited, sleep(hasCrashInWords(server.words()) ? 3000 : 100)]);
  };

  const target: PostgresTarget = { host: setting.socketFolder, port: 5432, user: SUPERUSER, database: RESTORE_DATABASE };
  let postgresVersion: string;
  try {
    request.signal.throwIfAborted();
    await using session = await awaitSession({ ...target, database: 'template1' }, gone.signal, request.signal);
    // The server has created its socket; from here on it could only replace it with a link to another socket.
    await chmod(setting.socketFolder, 0o711);
    await createRestoreDatabase(session, request, IMAGE);
    if (request.moneyLocale !== undefined) await setMoneyLocale(session, request.moneyLocale, IMAGE);
    await requireHost(target, request, setting.preload !== undefined, IMAGE);
    postgresVersion = await readServerVersion(session);
    isReady = true;
  } catch (error) {
    const words = server.words().trim().split('\n').slice(-6).join('\n');
    await dispose().catch(() => undefined);
    request.signal.throwIfAborted();
    if (error instanceof PreloadNeeded) throw error;
    if (isFluxError(error, 'verification_inconclusive') && (exceeded !== undefined || error.hint !== undefined)) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new FluxError('verification_inconclusive', `A disposable Postgres could not be started: ${reason} ${words}`.trim(), {
      cause: error,
    });
  }

  const runClient = async (
    program: string,
    args: readonly string[],
    { env, onStdout }: Pick<ProcessOptions, 'env' | 'onStdout'>,
  ): Promise<ProcessResult> => {
    const command = ['/bin/sh', '-c', RUN_PROGRAM, 'sh', String(setting.major), program, ...args];
    const address = libpqEnvironment({ ...target, host: INSIDE.socket });
    const run = runInside(server.container, command, { ...address, TZ: 'UTC', LC_ALL: 'C.UTF-8', ...env }, onStdout);
    const result = await run.catch((error: unknown) => {
      // Removing a container ends its programs and breaks the connections that follow them.
      if (gone.signal.aborted) return { exitCode: null, stdout: '', stderr: '' };
      throw engineError(error, engine, 'sandbox_unavailable');
    });
    if (result.exitCode !== 0) await settle();
    return { command: program, signal: result.exitCode === null ? 'SIGKILL' : null, ...result };
  };

  return {
    sandbox: 'docker',
    postgresVersion,
    superuser: target,
    pgRestore: (args) => runClient('pg_restore', [...args, '--dbname', RESTORE_DATABASE, INSIDE.archive], {}),
    pgDump: ({ args, settings, onStdout }) => runClient('pg_dump', args, { env: libpqOptions(settings), onStdout }),
    exceeded() {
      if (exceeded === undefined && !gone.signal.aborted) {
        const limit = limitInWords(server.words());
        if (limit !== undefined) end(limit);
      }
      return exceeded;
    },
    crashed: () => hasCrashed || (removal === undefined && hasCrashInWords(server.words())),
    gone: gone.signal,
    [Symbol.asyncDispose]: dispose,
  };
}
