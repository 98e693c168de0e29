import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needsSandbox } from '../../../../acceptance/harness/sandbox.ts';
import { killTree } from '../../src/instances/local/kill-tree.ts';
import { describePaths, SANDBOXES, type SystemPath } from '../../src/instances/sandbox/sandbox.ts';
import { resolveAccount } from '../../src/system/account.ts';
import { type Account, startDaemon } from '../../src/system/process.ts';
import { commandLineOf, listProcesses } from '../../src/system/process-table.ts';

/** Until it runs its program a sandbox takes a few milliseconds, in which it forks. */
const STARTS = 400;
const LAST_MS = 4;

let folder: string;
let account: Account | undefined;
let systemPaths: readonly SystemPath[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flux-kill-'));
  await chmod(folder, 0o711);
  account = await resolveAccount(undefined);
  systemPaths = await describePaths(['/usr', '/lib', '/lib64', '/bin', '/sbin', '/etc/ld.so.cache']);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.each(['bubblewrap', 'unshare'] as const)('a sandbox by %s', async (kind) => {
  it('that is killed at any moment of its start leaves no process', await needsSandbox(kind), async () => {
    const mark = randomUUID();
    const { command, args } = SANDBOXES[kind]({
      network: 'none',
      life: 'with-parent',
      systemPaths,
      binds: [],
      memoryFolders: [{ target: '/tmp', bytes: 1 << 20 }],
      scaffold: folder,
      script: 'exec sleep "$1"',
      args: ['600', mark],
    });
    await using log = await open(join(folder, `${kind}.log`), 'a');
    const left: string[] = [];
    for (let start = 0; start < STARTS; start++) {
      const sandbox = await startDaemon(command, args, { account, logFd: log.fd, detached: true, env: {} });
      // Mostly early, where it forks first. A timer would only know whole milliseconds.
      for (const until = performance.now() + (start / STARTS) ** 3 * LAST_MS; performance.now() < until; );
      await killTree([sandbox.pid]);
      await sandbox.exited;
      for (const { pid, name } of await listProcesses())
        if ((await commandLineOf(pid)).includes(mark)) {
          left.push(`${name} after start ${start}`);
          process.kill(pid, 'SIGKILL');
        }
    }
    expect(left).toEqual([]);
  });
});
