import { setTimeout as sleep } from 'node:timers/promises';
import { FluxError } from '@flux/contract/errors';
import { awaitSession } from '../../instances/await-session.ts';
import { killTree } from '../../instances/local/kill-tree.ts';
import { logTail } from '../../instances/local/log-file.ts';
import { findPostmaster } from '../../instances/local/postmaster.ts';
import { isSameLocale } from '../../postgres/database-locale.ts';
import { type Daemon, type ProcessResult, signalProcess } from '../../system/process.ts';
import { PreloadNeeded, requireHost } from '../preload.ts';
import type { DisposableInstance, DisposableRequest, LimitExceeded } from '../provider.ts';
import { createRestoreDatabase, RESTORE_DATABASE, readServerVersion, setMoneyLocale } from '../restore-database.ts';
import { removeDisposableFolders } from './folders.ts';
import {
  type DisposableSetting,
  disposableTarget,
  insideOf,
  runDump,
  runRestore,
  sealSocketFolder,
  startDisposableServer,
} from './programs.ts';
import { hasCrashInLog, limitInLog } from './server-log.ts';
import { startWatchdog, type Watchdog } from './watchdog.ts';

/** The result of a program that was not started, because its server no longer exists. */
const NEVER_RAN: ProcessResult = { command: 'sandbox', exitCode: null, signal: 'SIGKILL', stdout: '', stderr: '' };

const HOST = { name: 'This host' };

/** A disposable server that answers queries and has not been given to a verification yet. */
export interface StandingServer {
  readonly setting: DisposableSetting;
  /** Aborted when it has ended for any reason. */
  readonly gone: AbortSignal;
  /**
   * Assigns it to a verification; its limits apply from here. On failure everything inside has been killed and the folders have been
   * removed.
   *
   * @throws FluxError `verification_inconclusive`; PreloadNeeded; the reason of the request's signal
   */
  serve(request: DisposableRequest, archivePath: string): Promise<DisposableInstance>;
  /** Kills everything inside and removes the folders. */
  dispose(): Promise<void>;
}

/**
 * Starts a disposable server on folders that exist, and returns when it answers. On failure everything inside has
 * been killed and the folders have been removed.
 *
 * @throws FluxError `verification_inconclusive`; the reason of the signal
 */
export async function startStandingServer(setting: DisposableSetting, signal: AbortSignal): Promise<StandingServer> {
  const { folders, limits, sandbox } = setting;
  const gone = new AbortController();
  const roots = new Set<number>();
  let watchdog: Watchdog | undefined;
  let exceeded: LimitExceeded | undefined;
  let hasCrashed = false;
  let isReady = false;
  let disposal: Promise<void> | undefined;

  const server = await startDisposableServer(setting);
  roots.add(server.pid);
  const end = (limit?: LimitExceeded) => {
    exceeded ??= limit;
    watchdog?.stop();
    gone.abort(
      new FluxError(
        'verification_inconclusive',
        exceeded === undefined ? 'The disposable Postgres has been removed.' : `The restore was stopped: ${exceeded.message}.`,
      ),
    );
    disposal ??= bringDown(setting, server, [...roots]);
    // Dispose reports the error; here it must not become an unhandled rejection.
    disposal.catch(() => undefined);
  };
  void server.exited.then(() => {
    roots.delete(server.pid);
    if (gone.signal.aborted) return;
    hasCrashed = isReady;
    end(limitInLog(folders.log));
  });
  const dispose = async () => {
    end();
    await disposal;
    await server.exited;
    await removeDisposableFolders(folders);
  };
  /** Waits briefly for the cause (a limit, a crash) to be reported before a failure is judged. */
  const settle = async () => {
    await watchdog?.look();
    const limit = limitInLog(folders.log);
    if (limit !== undefined) end(limit);
    if (hasCrashInLog(folders.log)) await Promise.race([server.exited, sleep(3000)]);
  };
  /** Runs one step of the start; when that fails, nothing is left behind. */
  const bringUp = async <T>(stopped: AbortSignal, work: () => Promise<T>): Promise<T> => {
    const onAbort = () => end();
    stopped.addEventListener('abort', onAbort, { once: true });
    try {
      stopped.throwIfAborted();
      return await work();
    } catch (error) {
      const words = await logTail(folders.log);
      await dispose();
      stopped.throwIfAborted();
      if (error instanceof PreloadNeeded) throw error;
      if (error instanceof FluxError && error.code === 'verification_inconclusive' && (exceeded !== undefined || error.hint !== undefined))
        throw error;
      throw new FluxError(
        'verification_inconclusive',
        `A disposable Postgres could not be started: ${(error as Error).message} ${words}`.trim(),
        { cause: error },
      );
    } finally {
      stopped.removeEventListener('abort', onAbort);
    }
  };

  const runClient = async (run: (onSpawn: (pid: number) => void) => Promise<ProcessResult>): Promise<ProcessResult> => {
    if (gone.signal.aborted) return NEVER_RAN;
    let pid: number | undefined;
    // Ended by `bringDown`, like everything else inside: killing only the creator of a sandbox leaves it behind.
    try {
      const result = await run((spawned) => {
        pid = spawned;
        roots.add(spawned);
      });
      if (result.exitCode !== 0) await settle();
      return result;
    } finally {
      if (pid !== undefined) roots.delete(pid);
    }
  };

  const session = await bringUp(signal, async () => {
    const opened = await awaitSession(disposableTarget(folders, 'template1'), gone.signal, signal);
    await sealSocketFolder(folders, setting.account);
    return opened;
  });

  const serve = async (request: DisposableRequest, archivePath: string): Promise<DisposableInstance> => {
    watchdog = startWatchdog({
      limits: { ...limits, wallClockMs: request.limits.wallClockMs },
      roots: () => [...roots],
      overheadPerRoot: sandbox.kind === 'off' ? 0 : 2,
      data:
        setting.memoryBytes === null
          ? { kind: 'disk', folder: folders.data }
          : { kind: 'memory', pathInside: insideOf(setting).data, bytes: setting.memoryBytes },
      logPath: folders.log,
      onExceeded: (limit) => end(limit),
    });
    const postgresVersion = await bringUp(request.signal, async () => {
      await using _ = session;
      // The restore database of the template fits most requests, and creating another one takes time.
      const { locale } = setting.template;
      if (!isSameLocale(request.locale, { encoding: 'UTF8', collate: locale, ctype: locale })) {
        await session.run(`drop database ${RESTORE_DATABASE}`);
        await createRestoreDatabase(session, request, HOST);
      }
      if (request.moneyLocale !== undefined) await setMoneyLocale(session, request.moneyLocale, HOST);
      await requireHost(disposableTarget(folders), request, setting.preload !== undefined, HOST);
      return await readServerVersion(session);
    });
    isReady = true;
    const onAbort = () => end();
    request.signal.addEventListener('abort', onAbort, { once: true });
    if (request.signal.aborted) end();
    return {
      sandbox: sandbox.kind,
      postgresVersion,
      superuser: disposableTarget(folders),
      pgRestore: (args) => runClient((onSpawn) => runRestore(setting, archivePath, args, onSpawn)),
      pgDump: (dump) => runClient((onSpawn) => runDump(setting, dump, onSpawn)),
      exceeded() {
        if (exceeded === undefined && !gone.signal.aborted) {
          // A statement that hit a limit of the kernel fails like any other; the SQLSTATE in the log identifies it.
          const limit = limitInLog(folders.log);
          if (limit !== undefined) end(limit);
        }
        return exceeded;
      },
      crashed: () => hasCrashed || (disposal === undefined && hasCrashInLog(folders.log)),
      gone: gone.signal,
      [Symbol.asyncDispose]: () => {
        request.signal.removeEventListener('abort', onAbort);
        return dispose();
      },
    };
  };

  return { setting, gone: gone.signal, serve, dispose };
}

/**
 * Ends everything inside. Shared memory is removed with the sandbox's namespace; without a sandbox it would stay on the host, so there
 * the server first gets a moment to remove its own.
 */
async function bringDown({ sandbox, folders }: DisposableSetting, server: Daemon, roots: readonly number[]): Promise<void> {
  if (sandbox.kind === 'off') {
    const postmaster = await findPostmaster(folders.data);
    if (postmaster?.pid === server.pid) {
      signalProcess(server.pid, 'SIGQUIT');
      await Promise.race([server.exited, sleep(1000)]);
    }
  }
  await killTree(roots);
}
