import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import type { HostConfig } from 'dockerode';
import type { ProcessOptions, ProcessResult } from '../../system/process.ts';
import { readProcess } from '../../system/process-table.ts';
import { type DockerEngine, LABELS, labelsOf, unlessMissing } from './engine.ts';
import { isolationOptions, memoryFolder, script } from './isolation.ts';
import { readPieces } from './streams.ts';

/** One program in its own container. */
export interface ToolRun {
  readonly image: string;
  /** A script for sh, and its arguments. */
  readonly script: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The whole stdin. Unlike arguments it is not visible to accounts that may inspect the container. */
  readonly input?: Readable | undefined;
  readonly networkMode: 'none' | 'host';
  readonly mounts?: HostConfig['Mounts'];
  readonly onStdout?: ProcessOptions['onStdout'] | undefined;
  readonly signal?: AbortSignal | undefined;
}

const MAX_TEXT = 64 * 1024;

/**
 * Runs a program in a container until it ends and returns how it ended, as `runProcess` does; the container is removed afterwards.
 *
 * @throws the engine's error when the container cannot be created; the error of `onStdout`; the reason of `signal`
 */
export async function runTool(engine: DockerEngine, run: ToolRun): Promise<ProcessResult> {
  run.signal?.throwIfAborted();
  const container = await engine.client.createContainer({
    Image: run.image,
    ...script(run.script, run.args),
    Env: Object.entries({ TZ: 'UTC', ...run.env }).map(([name, value]) => `${name}=${value}`),
    Labels: labelsOf(engine, 'tool', { [LABELS.maker]: await makerLabel() }),
    OpenStdin: run.input !== undefined,
    StdinOnce: run.input !== undefined,
    AttachStdin: run.input !== undefined,
    HostConfig: {
      ...isolationOptions(),
      NetworkMode: run.networkMode,
      Tmpfs: { '/tmp': memoryFolder(64 * 2 ** 20) },
      PidsLimit: 64,
      // Its output is read here and may be a whole dump: it is not also written to a log.
      LogConfig: { Type: 'none', Config: {} },
      ...(run.mounts === undefined ? {} : { Mounts: run.mounts }),
    },
  });
  let removal: Promise<unknown> | undefined;
  // Only once: a second call would be refused while the first is in progress, and its volume is in use until that one has ended.
  const remove = () => {
    removal ??= unlessMissing(container.remove({ force: true, v: true })).catch(() => undefined);
    return removal;
  };
  const kill = () => void remove();
  let inputError: Error | undefined;
  run.signal?.addEventListener('abort', kill, { once: true });
  try {
    run.signal?.throwIfAborted();
    const stream = await container.attach({ stream: true, stdin: run.input !== undefined, stdout: true, stderr: true, hijack: true });
    await container.start();
    // EPIPE only says that the program ended early; its own status says why.
    stream.on('error', () => undefined);
    // A truncated input that ends normally could look complete to the program.
    run.input?.once('error', (error) => {
      inputError = error;
      kill();
    });
    run.input?.pipe(stream);
    const texts = { stdout: '', stderr: '' };
    const keep = (name: 'stdout' | 'stderr', text: string) => {
      texts[name] = (texts[name] + text).slice(-MAX_TEXT);
    };
    await consume(stream as unknown as Readable, run.onStdout, keep);
    const { StatusCode } = (await container.wait()) as { StatusCode: number };
    if (inputError !== undefined) throw inputError;
    return { command: run.args[1] ?? 'sh', exitCode: StatusCode, signal: null, ...texts };
  } catch (error) {
    run.signal?.throwIfAborted();
    throw inputError ?? error;
  } finally {
    run.signal?.removeEventListener('abort', kill);
    await remove();
  }
}

/** Passes stdout on at the pace of its reader, and keeps the last part of output without a reader. */
export async function consume(
  stream: Readable,
  onStdout: ProcessOptions['onStdout'] | undefined,
  keep: (name: 'stdout' | 'stderr', text: string) => void,
): Promise<void> {
  const stdout = new PassThrough();
  const pump = async () => {
    for await (const { stream: name, bytes } of readPieces(stream)) {
      if (name === 'stderr' || onStdout === undefined) keep(name, bytes.toString('utf8'));
      else if (!stdout.write(bytes) && !stdout.destroyed) await Promise.race([once(stdout, 'drain'), once(stdout, 'close')]);
    }
    stdout.end();
  };
  // Unread output must not prevent the program from ending, or its last output from arriving.
  const taken = onStdout?.(stdout).then(() => stdout.resume());
  const failed = new Promise<never>((_, reject) => taken?.catch(reject));
  try {
    await Promise.race([Promise.all([pump(), taken]), failed]);
  } finally {
    stream.destroy();
    stdout.destroy();
  }
}

/** The creator of a container that must not outlive it: `<pid> <start ticks>`. */
export async function makerLabel(): Promise<string> {
  return `${process.pid} ${(await readProcess(process.pid))?.startTicks ?? ''}`;
}
