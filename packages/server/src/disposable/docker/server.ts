import { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { LABELS, labelsOf, unlessMissing } from '../../instances/docker/engine.ts';
import { consume, makerLabel } from '../../instances/docker/run-tool.ts';
import { DISPOSABLE_DATA } from '../../instances/docker/scripts.ts';
import type { ProcessOptions } from '../../system/process.ts';
import type { DisposableLimits, LimitExceeded } from '../provider.ts';
import { limitInWords } from '../server-words.ts';
import { type DisposableSetting, disposableContainer, disposableName } from './container.ts';

/** A running container and its output. */
export interface DisposableServer {
  readonly container: Docker.Container;
  /** The last output of the server so far, at most 64 KiB. */
  words(): string;
  /** Resolves when the container has ended, or Docker has gone away. Never rejects. */
  readonly exited: Promise<void>;
  /** Aborted when the kernel's OOM killer has killed a process in it. */
  readonly outOfMemory: AbortSignal;
  /** Why it ended, as far as Docker knows. */
  findLimit(): Promise<LimitExceeded | undefined>;
  remove(): Promise<void>;
}

const MAX_WORDS = 64 * 1024;

/** Creates and starts the container. On failure nothing is left behind. */
export async function startDisposable(setting: DisposableSetting): Promise<DisposableServer> {
  const { client } = setting.engine;
  const name = disposableName(setting);
  let events: Readable | undefined;
  const remove = async () => {
    events?.destroy();
    await unlessMissing(client.getContainer(name).remove({ force: true, v: true }));
    if (setting.memoryBytes === null) await unlessMissing(client.getVolume(name).remove({ force: true }));
  };
  try {
    if (setting.memoryBytes === null) await makeVolume(setting);
    const container = await client.createContainer(await disposableContainer(setting));
    const stream = await container.attach({ stream: true, stdout: true, stderr: true, hijack: true });
    let words = '';
    const listening = consume(stream as unknown as Readable, undefined, (_, text) => {
      words = (words + text).slice(-MAX_WORDS);
    }).catch(() => undefined);
    // The state of a container covers only its first process; the events cover every process.
    const outOfMemory = new AbortController();
    events = (await client.getEvents({ filters: { container: [container.id], event: ['oom'] } })) as Readable;
    events.on('data', () => outOfMemory.abort());
    events.on('error', () => undefined);
    await container.start();
    const exited = container.wait().then(
      () => listening,
      () => undefined,
    );
    return {
      container,
      words: () => words,
      exited,
      outOfMemory: outOfMemory.signal,
      async findLimit() {
        const facts = await container.inspect().catch(() => undefined);
        if (facts?.State.OOMKilled === true || outOfMemory.signal.aborted) return memoryExceeded(setting.limits);
        return limitInWords(words);
      },
      remove,
    };
  } catch (error) {
    await remove().catch(() => undefined);
    throw error;
  }
}

/** A new volume belongs to root: a short program makes it accessible to the account that runs the server. */
async function makeVolume(setting: DisposableSetting): Promise<void> {
  const { engine, image } = setting;
  const labels = labelsOf(engine, 'disposable', { [LABELS.maker]: await makerLabel() });
  const Name = disposableName(setting);
  await engine.client.createVolume({ Name, Labels: labels });
  const container = await engine.client.createContainer({
    Image: image,
    Entrypoint: ['/bin/chmod', '1777', DISPOSABLE_DATA],
    Cmd: [],
    User: '0',
    Labels: labels,
    NetworkDisabled: true,
    HostConfig: {
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      NetworkMode: 'none',
      Mounts: [{ Type: 'volume', Source: Name, Target: DISPOSABLE_DATA, ReadOnly: false, Consistency: 'default' }],
    },
  });
  try {
    await container.start();
    await container.wait();
  } finally {
    await unlessMissing(container.remove({ force: true }));
  }
}

export function memoryExceeded(limits: DisposableLimits): LimitExceeded {
  return { limit: 'memory', message: `it used more than ${Math.round(limits.memoryBytes / 2 ** 20)} MiB of memory` };
}

/** Runs a program inside and returns how it ended; the exit status comes from Docker, not from the end of a stream. */
export async function runInside(
  container: Docker.Container,
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  onStdout?: ProcessOptions['onStdout'],
): Promise<{ readonly exitCode: number | null; readonly stdout: string; readonly stderr: string }> {
  const exec = await container.exec({
    Cmd: [...command],
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    User: 'postgres',
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({ hijack: true, stdin: false });
  const texts = { stdout: '', stderr: '' };
  await consume(Readable.from(stream), onStdout, (name, text) => {
    texts[name] = (texts[name] + text).slice(-MAX_WORDS);
  });
  for (let attempt = 0; ; attempt++) {
    const { ExitCode, Running } = await exec.inspect();
    // The stream may end shortly before the engine has recorded the status.
    if (!Running || attempt > 50) return { exitCode: Running ? null : ExitCode, ...texts };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
