import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { FluxError } from '@flux/contract/errors';
import type { PostgresSession } from '../../postgres/connect.ts';
import { signalProcess } from '../../system/process.ts';
import { listProcesses, type ProcessEntry, treeOf } from '../../system/process-table.ts';
import type { DisposableInstance, DisposableRequest, LimitExceeded } from '../disposable.ts';
import { removeDisposableFolders } from './disposable-room.ts';
import {
  type DisposableSetting,
  disposableTarget,
  insideOf,
  runRestore,
  sealSocketFolder,
  startDisposableServer,
} from './disposable-server.ts';
import { logTail } from './log-file.ts';
import { awaitSession, isSameProcess } from './postmaster.ts';
import { RESTORE_DATABASE } from './template.ts';
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
    disposal ??= killAll([...roots]);
    // Whoever disposes of the instance is told; nobody may have got that far.
    disposal.catch(() => undefined);
  };
  void server.exited.then(() => {
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
    if (CRASH.test(readTail(folders.log))) await Promise.race([server.exited, sleep(3000)]);
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
    crashed: () => hasCrashed || (disposal === undefined && CRASH.test(readTail(folders.log))),
    gone: gone.signal,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Postgres says this of a backend that was killed, by the kernel for want of memory for instance. */
const CRASH = /server process \(PID \d+\) was terminated by signal|terminating any other active server processes/;

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

/** What the server's log says about a bound of the kernel. SQLSTATEs: the manual, appendix A, class 53. */
function limitInLog(path: string): LimitExceeded | undefined {
  for (const line of readTail(path).split('\n')) {
    if (line.startsWith('53100 ')) return { limit: 'disk', message: 'its disk was full' };
    if (line.startsWith('53200 ')) return { limit: 'memory', message: 'Postgres ran out of memory' };
    if (/could not fork/.test(line)) return { limit: 'processes', message: 'Postgres could not start another process' };
  }
  return undefined;
}

/** The end of the log, at once: callers ask for it between a failure and their judgement of it. */
function readTail(path: string): string {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const buffer = Buffer.alloc(64 * 1024);
    const length = readSync(file, buffer, 0, buffer.length, Math.max(0, fstatSync(file).size - buffer.length));
    return buffer.toString('utf8', 0, length);
  } catch {
    // No log: the instance has been disposed of, and nothing can be learnt any more.
    return '';
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Kills these processes and everything below them, and returns when none of them lives. */
async function killAll(roots: readonly number[]): Promise<void> {
  const seen = new Map<string, ProcessEntry>();
  for (;;) {
    for (const entry of treeOf(await listProcesses(), [...roots, ...[...seen.values()].map((one) => one.pid)]))
      seen.set(`${entry.pid}-${entry.startTicks}`, entry);
    let alive = 0;
    for (const [key, entry] of seen) {
      if (await isSameProcess(entry)) {
        alive++;
        signalProcess(entry.pid, 'SIGKILL');
      } else seen.delete(key);
    }
    if (alive === 0) return;
    await sleep(3);
  }
}
