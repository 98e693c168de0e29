import { setTimeout as sleep } from 'node:timers/promises';
import { FluxError } from '@flux/contract/errors';
import type { PostgresSession } from '../../postgres/connect.ts';
import { type Daemon, signalProcess } from '../../system/process.ts';
import { awaitSession } from '../await-session.ts';
import type { DisposableInstance, DisposableRequest, LimitExceeded } from '../disposable.ts';
import { RESTORE_DATABASE } from '../names.ts';
import { hasCrashInLog, limitInLog } from './disposable-log.ts';
import { removeDisposableFolders } from './disposable-room.ts';
import {
  type DisposableSetting,
  disposableTarget,
  insideOf,
  runRestore,
  sealSocketFolder,
  startDisposableServer,
} from './disposable-server.ts';
import { killTree } from './kill-tree.ts';
import { logTail } from './log-file.ts';
import { findPostmaster } from './postmaster.ts';
import { startWatchdog } from './watchdog.ts';

/**
 * Starts a disposable instance on folders that have been made, and returns when its database is there. On failure
 * everything inside has been killed and the folders are gone.
 *
 * @throws FluxError `verification_inconclusive`; the reason of the request's signal
 */
export async function openDisposable(setting: DisposableSetting, request: DisposableRequest): Promise<DisposableInstance> {
  const { folders, limits, sandbox } = setting;
  const gone = new AbortController();
  const roots = new Set<number>();
  let exceeded: LimitExceeded | undefined;
  let hasCrashed = false;
  let isReady = false;
  let disposal: Promise<void> | undefined;

  const server = await startDisposableServer(setting);
  roots.add(server.pid);
  const watchdog = startWatchdog({
    limits,
    roots: () => [...roots],
    overheadPerRoot: sandbox.kind === 'off' ? 0 : 2,
    data:
      setting.memoryBytes === null
        ? { kind: 'disk', folder: folders.data }
        : { kind: 'memory', pathInside: insideOf(setting).data, bytes: setting.memoryBytes },
    logPath: folders.log,
    onExceeded: (limit) => end(limit),
  });
  const end = (limit?: LimitExceeded) => {
    exceeded ??= limit;
    watchdog.stop();
    gone.abort(
      new FluxError(
        'verification_inconclusive',
        exceeded === undefined ? 'The disposable Postgres is gone.' : `The restore was stopped: ${exceeded.message}.`,
      ),
    );
    disposal ??= bringDown(setting, server, [...roots]);
    // Whoever disposes of the instance is told; nobody may have got that far.
    disposal.catch(() => undefined);
  };
  void server.exited.then(() => {
    roots.delete(server.pid);
    if (gone.signal.aborted) return;
    hasCrashed = isReady;
    end(limitInLog(folders.log));
  });
  const onAbort = () => end();
  request.signal.addEventListener('abort', onAbort, { once: true });

  const dispose = async () => {
    request.signal.removeEventListener('abort', onAbort);
    end();
    await disposal;
    await server.exited;
    await removeDisposableFolders(folders);
  };
  /** Lets the news of what went wrong arrive before a failure is judged. */
  const settle = async () => {
    await watchdog.look();
    const limit = limitInLog(folders.log);
    if (limit !== undefined) end(limit);
    if (hasCrashInLog(folders.log)) await Promise.race([server.exited, sleep(3000)]);
  };

  let postgresVersion: string;
  try {
    request.signal.throwIfAborted();
    await using session = await awaitSession(disposableTarget(folders, 'template1'), gone.signal, request.signal);
    await sealSocketFolder(folders, setting.account);
    postgresVersion = await prepareDatabase(session, setting, request);
    isReady = true;
  } catch (error) {
    const words = await logTail(folders.log);
    await dispose();
    request.signal.throwIfAborted();
    if (error instanceof FluxError && error.code === 'verification_inconclusive' && exceeded !== undefined) throw error;
    throw new FluxError(
      'verification_inconclusive',
      `A disposable Postgres could not be started: ${(error as Error).message} ${words}`.trim(),
      { cause: error },
    );
  }

  return {
    sandbox: sandbox.kind,
    postgresVersion,
    superuser: disposableTarget(folders),
    async pgRestore(args) {
      let pid: number | undefined;
      const result = await runRestore(setting, args, {
        signal: gone.signal,
        onSpawn: (spawned) => {
          pid = spawned;
          roots.add(spawned);
        },
      });
      if (pid !== undefined) roots.delete(pid);
      if (result.exitCode !== 0) await settle();
      return result;
    },
    exceeded() {
      if (exceeded === undefined && !gone.signal.aborted) {
        // A statement that hit a bound of the kernel fails like any other; the log's SQLSTATE tells it apart.
        const limit = limitInLog(folders.log);
        if (limit !== undefined) end(limit);
      }
      return exceeded;
    },
    crashed: () => hasCrashed || (disposal === undefined && hasCrashInLog(folders.log)),
    gone: gone.signal,
    [Symbol.asyncDispose]: dispose,
  };
}

/**
 * Ends everything inside. Shared memory goes with the sandbox's own namespace; without one it would stay behind in the host's,
 * so there the server is first given a moment to take its own away.
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

/** Makes sure that the restore database has the encoding and locale that are asked for. Answers the server's version. */
async function prepareDatabase(session: PostgresSession, setting: DisposableSetting, request: DisposableRequest): Promise<string> {
  const isLikeTemplate = (locale: string) => sameLocale(locale, setting.template.locale);
  if (request.encoding.toUpperCase() !== 'UTF8' || !isLikeTemplate(request.collate) || !isLikeTemplate(request.ctype)) {
    const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
    await session.run(`drop database ${RESTORE_DATABASE}`);
    await session
      .run(
        `create database ${RESTORE_DATABASE} template template0 encoding ${literal(request.encoding)} lc_collate ${literal(request.collate)} lc_ctype ${literal(request.ctype)}`,
      )
      .catch((error: Error) => {
        throw new FluxError(
          'verification_inconclusive',
          `This host cannot make a database with encoding ${request.encoding} and locale ${request.collate}: ${error.message}`,
          {
            hint: `Install the locale, for example with \`localedef -i en_US -f UTF-8 en_US.UTF-8\`, then verify again.`,
            cause: error,
          },
        );
      });
  }
  const [row] = await session.query<{ version: string }>(`select current_setting('server_version') as version`);
  return row?.version.split(' ')[0] ?? setting.tools.version;
}

/** `C.UTF-8` and `C.utf8` are the same locale under two names. */
function sameLocale(a: string, b: string): boolean {
  const plain = (name: string) => name.toLowerCase().replaceAll('-', '');
  return plain(a) === plain(b);
}
