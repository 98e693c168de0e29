import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import type { HostConfig } from 'dockerode';
import type { ProcessOptions, ProcessResult } from '../../system/process.ts';
import { readProcess } from '../../system/process-table.ts';
import { type DockerEngine, LABELS, labelsOf, unlessMissing } from './engine.ts';
import { isolationOptions, memoryFolder, script } from './isolation.ts';
import { readPieces } from './streams.ts';

/** One program in a container of its own. */
export interface ToolRun {
  readonly image: string;
  /** A script for sh, and its arguments. */
  readonly script: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** All of stdin; unlike arguments it is not visible to those who may inspect the container. */
  readonly input?: Readable | undefined;
  readonly networkMode: 'none' | 'host';
  readonly mounts?: HostConfig['Mounts'];
  readonly onStdout?: ProcessOptions['onStdout'] | undefined;
  readonly signal?: AbortSignal | undefined;
}

const MAX_TEXT = 64 * 1024;

/**
 * Runs a program in a container to its end and tells how it ended, as `runProcess` does; the container is gone afterwards.
 *
 * @throws the engine's error when there is no such container to be had; the error of `onStdout`; the reason of `signal`
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
      // What it writes is read here, and may be a whole dump: no second copy goes into a log.
      LogConfig: { Type: 'none', Config: {} },
      ...(run.mounts === undefined ? {} : { Mounts: run.mounts }),
    },
  });
  let removal: Promise<unknown> | undefined;
  // Once only: a second call would be refused while the first is under way, and its volume is in use until that one has ended.
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
    // Half of an input, followed by its end, could look whole to the program.
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

/** Passes stdout on at the pace of its reader, and keeps the end of the output that has no reader. */
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
  // What nobody takes must not keep the program from ending, nor its last words from coming.
  const taken = onStdout?.(stdout).then(() => stdout.resume());
  const failed = new Promise<never>((_, reject) => taken?.catch(reject));
  try {
    await Promise.race([Promise.all([pump(), taken]), failed]);
  } finally {
    stream.destroy();
    stdout.destroy();
  }
}

/** Who makes a container that must not outlive its maker. */
export async function makerLabel(): Promise<string> {
  return `${process.pid} ${(await readProcess(process.pid))?.startTicks ?? ''}`;
}
