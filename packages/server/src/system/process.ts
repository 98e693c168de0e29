import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

/** The unprivileged account that Postgres programs run as; absent when the control plane itself is unprivileged. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** How a child ended, with its output. */
export interface ProcessResult {
  readonly command: string;
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Its stdout when no consumer took the stream; at most `MAX_TEXT` characters. */
  readonly stdout: string;
  /** The last lines of stderr, at most `MAX_TEXT` characters. */
  readonly stderr: string;
}

export interface ProcessOptions {
  /** The whole environment of the child: nothing is inherited, so no secret leaks. PATH and LANG are set when absent. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly account?: Account | undefined;
  /** Bytes for stdin; stdin is /dev/null otherwise. */
  readonly input?: Readable | string;
  /**
   * Consumes stdout as a stream; its promise is awaited before the child counts as ended. A consumer that rejects kills the
   * child. Without it, stdout is collected into `ProcessResult.stdout`.
   */
  readonly onStdout?: (stdout: Readable) => Promise<void>;
  /**
   * Limits its memory (address space), in bytes. Where the host has less than that left, the kernel ends it before others. A program that
   * cannot be started then ends with status 126 or 127, as a shell says it.
   */
  readonly memoryBytes?: number | undefined;
  /** Kills the child with SIGKILL when aborted; the result then carries the signal. */
  readonly signal?: AbortSignal | undefined;
  /** Called once with the process id. */
  readonly onSpawn?: (pid: number) => void;
}

const MAX_TEXT = 64 * 1024;
const DEFAULT_ENV = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' };

/**
 * Runs a program until it ends and returns how it ended; a failing exit code is a value, not an error.
 *
 * Resolves only when the exit status is known **and** stdout has been consumed: a stream that ended says nothing about
 * whether the program succeeded.
 *
 * @throws the error of `spawn` when the program cannot be started at all (ENOENT, EACCES); the error of `onStdout`
 */
export async function runProcess(command: string, args: readonly string[], options: ProcessOptions = {}): Promise<ProcessResult> {
  const started = withinMemory(command, args, options.memoryBytes);
  const child = spawn(started.command, [...started.args], {
    ...spawnOptions(options),
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  const kill = () => child.kill('SIGKILL');
  if (options.signal?.aborted) kill();
  options.signal?.addEventListener('abort', kill, { once: true });
  try {
    const ended = whenEnded(child);
    const stderr = collectTail(child.stderr as Readable);
    if (child.pid !== undefined) options.onSpawn?.(child.pid);
    if (options.input !== undefined) feed(child.stdin as Writable, options.input);
    const stdout = options.onStdout
      ? options.onStdout(child.stdout as Readable).then(
          () => '',
          (error: unknown) => {
            kill();
            throw error;
          },
        )
      : collectTail(child.stdout as Readable);
    const [status, out, err] = await settleAll(ended, stdout, stderr);
    return { command, ...status, stdout: out, stderr: err };
  } finally {
    options.signal?.removeEventListener('abort', kill);
  }
}

export interface DaemonOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly account?: Account | undefined;
  /** File descriptor that stdout and stderr are appended to. */
  readonly logFd: number;
  /** True: the child survives the control plane (its own session). False: it ends with it. */
  readonly detached: boolean;
}

/** A long-running child. */
export interface Daemon {
  readonly pid: number;
  /** Resolves when it has ended. Never rejects. */
  readonly exited: Promise<{ readonly exitCode: number | null; readonly signal: NodeJS.Signals | null }>;
}

/**
 * Starts a long-running program and returns as soon as it runs.
 *
 * @throws the error of `spawn` when the program cannot be started at all
 */
export async function startDaemon(command: string, args: readonly string[], options: DaemonOptions): Promise<Daemon> {
  const child = spawn(command, [...args], {
    ...spawnOptions(options),
    detached: options.detached,
    stdio: ['ignore', options.logFd, options.logFd],
  });
  const exited = whenEnded(child);
  // A failed spawn is reported below; without this line its rejection would also be reported as unhandled.
  exited.catch(() => undefined);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  if (options.detached) child.unref();
  return { pid: child.pid as number, exited };
}

/** Runs a program that gets an open file of ours as descriptor 3, and says nothing. @returns its exit status; null when there is no such program */
export function runWithDescriptor(command: string, args: readonly string[], descriptor: number): Promise<number | null> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'ignore', descriptor] });
  return new Promise((resolve) => {
    child.once('error', () => resolve(null));
    child.once('exit', resolve);
  });
}

/** Whether a process exists (it may belong to another account). */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Sends a signal; returns whether the process existed. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

function withinMemory(command: string, args: readonly string[], bytes: number | undefined) {
  if (bytes === undefined) return { command, args };
  const script = `ulimit -v ${Math.ceil(bytes / 1024)} 2>/dev/null; echo 1000 2>/dev/null >/proc/self/oom_score_adj; exec "$0" "$@"`;
  return { command: '/bin/sh', args: ['-c', script, command, ...args] };
}

function spawnOptions(options: { env?: Readonly<Record<string, string>>; cwd?: string; account?: Account | undefined }): SpawnOptions {
  return {
    env: { ...DEFAULT_ENV, ...options.env },
    // A child of another account may not be able to read our working directory.
    cwd: options.cwd ?? '/',
    ...(options.account === undefined ? {} : { uid: options.account.uid, gid: options.account.gid }),
  };
}

function whenEnded(child: ChildProcess): Promise<{ exitCode: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal }));
  });
}

async function collectTail(stream: Readable): Promise<string> {
  let tail = '';
  stream.setEncoding('utf8');
  for await (const chunk of stream) tail = (tail + chunk).slice(-MAX_TEXT);
  return tail;
}

function feed(stdin: Writable, input: Readable | string): void {
  // EPIPE only says that the child ended early; its own status and stderr say why.
  stdin.on('error', () => undefined);
  if (typeof input === 'string') stdin.end(input);
  else input.pipe(stdin);
}

/** Like Promise.all, but waits for every one before the first rejection is thrown: no child outlives this function. */
async function settleAll<A, B, C>(a: Promise<A>, b: Promise<B>, c: Promise<C>): Promise<[A, B, C]> {
  const results = await Promise.allSettled([a, b, c]);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as [A, B, C];
}
