import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { postmasterPid } from '../harness/postmaster.ts';
import { leaveOut } from '../harness/sandbox.ts';
import { catalogUri, instanceOf } from '../harness/superuser.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('One data folder, seen from elsewhere');

/** Starts a program where the data folder of the first server is mounted on $2. */
const MOUNTED = 'mount --bind "$1" "$2" && shift 2 && exec "$@"';

/** Where the second server is, with options of unshare(1). */
const PLACES: Readonly<Record<string, readonly string[]>> = {
  'by a bind mount': ['--mount'],
  'from a second network namespace': ['--mount', '--net'],
  'from a second PID namespace, which has the pids of other processes': ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'],
  'from a container of its own: mounts, network, pids and host name': [
    ...['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc', '--uts', '--ipc'],
  ],
};

let first: Flux;
let project: TestProject;
let instances: readonly string[];
beforeAll(async () => {
  first = await startFlux();
  project = await first.createProject('alone', 'v1_dedicated');
  await first.push(project, 'create table written (n int primary key);');
  const id = (await psql(catalogUri(first), 'select id from projects')).trim();
  instances = ['catalog', instanceOf(id, 'v1_dedicated')].map((name) => join(first.dataFolder, 'instances', name, 'data'));
}, 120_000);
afterAll(() => first?.[Symbol.asyncDispose]());

const serversOf = () => instances.map((data) => ({ pid: postmasterPid(data), lock: readFileSync(join(data, 'postmaster.pid'), 'utf8') }));

let written = 0;
for (const [place, namespaces] of Object.entries(PLACES)) {
  const tried = spawnSync('unshare', [...namespaces, 'sh', '-c', MOUNTED, 'sh', '/tmp', '/tmp', 'true'], { encoding: 'utf8' });
  attack(
    `The data folder again ${place}, its file server.lock deleted`,
    'the second server does not start, and says why; the running servers are untouched',
    async () => {
      const before = serversOf();
      expect(before.map(({ pid }) => pid)).not.toContain(0);
      rmSync(join(first.dataFolder, 'server.lock'), { force: true });
      const second = startFlux({
        prepare: (folder) => mkdirSync(join(folder, 'data'), { mode: 0o711 }),
        wrap: (command, folder) => [
          ...['unshare', ...namespaces, 'sh', '-c', MOUNTED, 'sh', first.dataFolder, join(folder, 'data')],
          ...command,
        ],
      });
      const refusal = await second.then(
        async (flux) => {
          await flux[Symbol.asyncDispose]();
          return 'it started';
        },
        (error: Error) => error.message,
      );
      expect(refusal).toContain('Another Flux already uses the data folder');
      expect(serversOf()).toEqual(before);
      await psql(project.uri, `insert into written values (${++written})`);
      expect((await psql(project.uri, 'select count(*) from written')).trim()).toBe(String(written));
      const proven = await first.flux('backup', 'create', ...project.flags, '--verify');
      expect(proven.exitCode, proven.stderr).toBe(0);
      return `refused; ${before.length} servers with the pids and the postmaster.pid of before, a write and a verified backup through them`;
    },
    tried.status === 0 ? {} : leaveOut(`this host does not let us unshare ${namespaces.join(' ')}: ${tried.stderr.trim()}`),
  );
}
