import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { basename, join } from 'node:path';
import type { Flux } from '../harness/flux.ts';
import { runWell, until } from '../harness/process.ts';
import type { Traps } from './damage.ts';
import { listSandboxes, processesIn, processesWith } from './sandboxes.ts';

/** Detects whether hostile code escapes from the sandbox. */
export interface Canaries extends AsyncDisposable {
  readonly traps: Traps;
  /** Records the sandboxes that restores run in while a function runs. */
  watch<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Everything that escaped or was left behind, in sentences; waits a moment for what is just being removed.
   * Checks the sandboxes that `watch` has seen: the server may keep a fresh one ready for the next restore.
   */
  findEscapes(): Promise<string[]>;
}

/** More than the server itself writes between two checks: its log, rows of the catalog. */
const DISK_NOISE_MIB = 256;

/** Sets the traps, and records the disk usage. */
export async function setCanaries(server: Flux): Promise<Canaries> {
  const mark = basename(server.folder).replace('flux-', 'canary-');
  const nest = join(server.dataFolder, 'secret-of-the-host');
  writeFileSync(nest, `content of ${mark}`, { mode: 0o644 });
  let visits = 0;
  const listener = await listen((count) => {
    visits = count;
  });
  const address = listener.address();
  const forbiddenFiles = ['/tmp', '/var/tmp', '/dev/shm', server.dataFolder, `${server.dataFolder}/run`, '/var/lib/postgresql'].map(
    (folder) => join(folder, mark),
  );
  const traps: Traps = {
    mark,
    port: address === null || typeof address === 'string' ? 0 : address.port,
    forbiddenFiles,
    secretFiles: [
      '/etc/shadow',
      '/etc/hostname',
      nest,
      join(server.dataFolder, 'admin-token'),
      join(server.dataFolder, 'instances/catalog/superuser.secret'),
    ],
  };
  const diskBefore = await diskMib(server);
  const sandboxes = new Set<string>();
  return {
    traps,
    watch: async (work) => {
      sandboxes.clear();
      const timer = setInterval(() => {
        for (const sandbox of listSandboxes(server.folder)) sandboxes.add(sandbox);
      }, 25);
      try {
        return await work();
      } finally {
        clearInterval(timer);
      }
    },
    async findEscapes() {
      const escapes: string[] = [];
      for (const path of forbiddenFiles.filter((file) => existsSync(file))) escapes.push(`${path} was written`);
      if (visits > 0) escapes.push(`the listener was called ${visits} times`);
      const isGone = (look: () => unknown[]) => until('nothing is left', () => look().length === 0, 5000).catch(() => undefined);
      await isGone(() => strays(sandboxes, mark));
      escapes.push(...strays(sandboxes, mark));
      await isGone(() => leftFolders(server, sandboxes));
      escapes.push(...leftFolders(server, sandboxes).map((folder) => `${folder} is still there`));
      const disk = await diskMib(server);
      if (disk > diskBefore + DISK_NOISE_MIB) escapes.push(`the data folder has grown from ${diskBefore} to ${disk} MiB`);
      // The memory of a sandbox is released with its last process and its mounts; the memory usage of the whole host says less.
      for (const mount of mountsOf(server)) escapes.push(`${mount} is still mounted`);
      const health = await fetch(`${server.url}/healthz`).catch((error: Error) => error);
      if (!('ok' in health && health.ok)) escapes.push('the server does not answer');
      return escapes;
    },
    [Symbol.asyncDispose]: async () => {
      await new Promise((resolve) => listener.close(resolve));
      for (const path of forbiddenFiles) rmSync(path, { force: true });
    },
  };
}

function listen(onVisit: (count: number) => void): Promise<Server> {
  let count = 0;
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      onVisit(++count);
      socket.destroy();
    });
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

function strays(sandboxes: ReadonlySet<string>, mark: string): string[] {
  return [...processesIn(sandboxes), ...processesWith(mark)].map(({ pid, name }) => `process ${pid} (${name}) is still running`);
}

function leftFolders({ dataFolder }: Flux, sandboxes: ReadonlySet<string>): string[] {
  return [...sandboxes]
    .flatMap((id) => [join(dataFolder, 'disposable', id), join(dataFolder, 'run', `d-${id}`)])
    .filter((path) => existsSync(path));
}

async function diskMib({ dataFolder }: Flux): Promise<number> {
  // Files may vanish while du(1) walks; what it counted until then is good enough. Each instance keeps 80 MiB of WAL, and more between
  // checkpoints, whatever happens in a sandbox.
  return Number.parseInt(await runWell('sh', ['-c', 'du -sm --exclude=pg_wal "$0" 2>/dev/null || true', dataFolder]), 10);
}

function mountsOf({ folder }: Flux): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(`/${basename(folder)}/`));
}
