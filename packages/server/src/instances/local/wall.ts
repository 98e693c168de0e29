import { chmod, mkdir, realpath, writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import { sandboxPathsOf } from '../../postgres/sandbox-paths.ts';
import type { PostgresTools } from '../../postgres/target.ts';
import { type Account, runProcess } from '../../system/process.ts';
import { isSeparate } from '../../system/process-table.ts';
import { foldersOf, type InstanceFolders, makeOpenFolder, makeReachable } from '../folders.ts';
import { adviseOnSandbox, readHostFacts } from '../sandbox/advice.ts';
import {
  type Command,
  describePaths,
  type IsolationKind,
  SANDBOXES,
  type SandboxSpec,
  type SystemPath,
  tryCommand,
} from '../sandbox/sandbox.ts';
import { findPostmaster } from './postmaster.ts';

/** What stands between the servers of this host: each sees the programs, its own data and its own socket. */
export interface Wall {
  readonly kind: IsolationKind;
  /** Why there is none although one was wanted; undefined otherwise. */
  readonly problem: string | undefined;
  /** The command line that runs a program as the only one behind the wall of an instance. */
  enter(folders: InstanceFolders, tools: PostgresTools, args: readonly string[]): Promise<Command>;
  /** Whether a process of a server still has the data of an instance, also one that cannot be seen from here. */
  isTaken(folders: InstanceFolders): Promise<boolean>;
}

export interface WallOptions {
  readonly wanted: 'auto' | IsolationKind;
  readonly dataFolder: string;
  readonly runFolder: string;
  /** Further folders of Flux that no instance may see: the backups, wherever they are. */
  readonly hidden: readonly string[];
  readonly account: Account | undefined;
}

/** Exit status of a launch whose data another server's processes still hold. */
export const LOCK_CONFLICT = 75;
const LOCK_SECONDS = 2;

/** What a server needs to find hosts of a network and to trust them, to know the local time, and the software of administrators. */
const FURTHER_PATHS = [
  ...['/etc/hosts', '/etc/nsswitch.conf', '/etc/localtime'],
  ...['/etc/ssl/certs', '/etc/ssl/openssl.cnf', '/etc/pki/tls/certs', '/etc/pki/tls/cert.pem', '/etc/pki/ca-trust/extracted'],
  ...['/opt', '/nix/store', '/gnu/store'],
];
const RESOLVER = '/etc/resolv.conf';
const REMEMBER_MS = 5000;
const TEMPORARY_BYTES = 256 * 2 ** 20;

/**
 * Chooses the strongest wall that works on this host; each is tried. With `auto`, a host that allows none has none: a server that does not
 * start protects nobody.
 *
 * The network is that of the host: a program behind the wall can open connections, and listen on ports that are free.
 *
 * @throws FluxError `volume_unusable`; `sandbox_unavailable` when a certain one is wanted and does not work
 */
export async function chooseWall(options: WallOptions): Promise<Wall> {
  const { wanted, dataFolder, runFolder, account } = options;
  await makeReachable(dataFolder, account);
  await makeReachable(runFolder, account);
  const place = await preparePlace(dataFolder, account);
  if (wanted === 'off') return await withoutWall(place, account, undefined);
  const pathsOf = rememberPaths();
  const problems: string[] = [];
  for (const kind of wanted === 'auto' ? (['bubblewrap', 'unshare'] as const) : [wanted]) {
    const problem = await tryWall(kind, place, options);
    if (problem === undefined)
      return {
        kind,
        problem: undefined,
        async enter(folders, tools, args) {
          const spec = await specOf(place, options, await pathsOf(tools));
          const entered = SANDBOXES[kind]({
            ...spec,
            binds: [
              ...spec.binds,
              { source: folders.data, target: folders.data, access: 'write' },
              { source: folders.socket, target: folders.socket, access: 'write' },
              { source: folders.settings, target: folders.settings, access: 'read' },
            ],
            // Bubblewrap has a first process of its own. Otherwise it is this shell, which must not become the server: what a program of
            // the server has left behind becomes a child of the first process, and Postgres takes the end of an unknown child for a crash.
            script: kind === 'bubblewrap' ? 'exec "$@"' : '"$@"; exit "$?"',
            args: [tools.postgres as string, ...args],
          });
          return locked(folders.lock, entered);
        },
        isTaken: isLocked,
      };
    problems.push(`${kind}: ${problem}`);
  }
  const why = problems.join('; ');
  if (wanted === 'auto') return await withoutWall(place, account, why);
  throw new FluxError('sandbox_unavailable', `The wall between instances cannot be made on this host (${why}).`, {
    hint: adviseOnSandbox(await readHostFacts(), 'FLUX_INSTANCE_WALL=off runs instances without it.').hint,
    details: { problems },
  });
}

/** The paths of programs, looked up once for servers that start together. What is installed later is found later. */
function rememberPaths(): (tools: PostgresTools) => Promise<readonly string[]> {
  const known = new Map<string, { readonly since: number; readonly paths: Promise<readonly string[]> }>();
  return (tools) => {
    const found = known.get(tools.binFolder);
    if (found !== undefined && performance.now() - found.since < REMEMBER_MS) return found.paths;
    const paths = sandboxPathsOf(tools);
    known.set(tools.binFolder, { since: performance.now(), paths });
    paths.catch(() => known.delete(tools.binFolder));
    return paths;
  };
}

/** The data is locked all the same, where the host has a flock(1) that can. */
async function withoutWall(place: WallPlace, account: Account | undefined, problem: string | undefined): Promise<Wall> {
  const canLock = (await tryCommand(locked(place.lock, { command: 'echo', args: ['works'] }), account)) === undefined;
  return {
    kind: 'off',
    problem,
    async enter(folders, tools, args) {
      const command = { command: tools.postgres as string, args };
      return canLock ? locked(folders.lock, command) : command;
    },
    isTaken: async (folders) => canLock && (await isLocked(folders)),
  };
}

async function isLocked({ lock }: InstanceFolders): Promise<boolean> {
  const { command, args } = locked(lock, { command: 'true', args: [] });
  return (await runProcess(command, args)).exitCode === LOCK_CONFLICT;
}

/**
 * Holds a lock for as long as any process of the server lives: all of them inherit the descriptor. Behind a wall, and in another container,
 * shared memory does not tell Postgres of another server on the same data, nor do the processes of this host.
 */
function locked(path: string, { command, args }: Command): Command {
  const options = ['--no-fork', '--wait', String(LOCK_SECONDS), '--conflict-exit-code', String(LOCK_CONFLICT)];
  return { command: 'flock', args: [...options, path, command, ...args] };
}

/** What all walls share: an empty folder to mount roots on, and the accounts that are known inside. */
interface WallPlace {
  readonly root: string;
  readonly accounts: string;
  readonly groups: string;
  readonly lock: string;
}

async function preparePlace(dataFolder: string, account: Account | undefined): Promise<WallPlace> {
  const folder = join(dataFolder, 'wall');
  const place = { root: join(folder, 'root'), accounts: join(folder, 'passwd'), groups: join(folder, 'group'), lock: join(folder, 'lock') };
  await makeOpenFolder(folder);
  await makeOpenFolder(place.root);
  const [uid, gid] = account === undefined ? [process.getuid?.() ?? 1000, process.getgid?.() ?? 1000] : [account.uid, account.gid];
  // Under unshare the account has number 1000.
  const files = [
    [place.accounts, `postgres:x:${uid}:${gid}::/tmp:/bin/sh\npostgres:x:1000:1000::/tmp:/bin/sh\n`],
    [place.groups, `postgres:x:${gid}:\npostgres:x:1000:\n`],
    [place.lock, ''],
  ] as const;
  for (const [path, text] of files) {
    await writeFile(path, text);
    await chmod(path, 0o644);
  }
  return place;
}

async function tryWall(kind: IsolationKind, place: WallPlace, options: WallOptions): Promise<string | undefined> {
  const spec = await specOf(place, options, ['/usr', '/lib', '/lib32', '/lib64', '/bin', '/sbin', '/etc/ld.so.cache']);
  const { runFolder, dataFolder } = options;
  const entered = SANDBOXES[kind]({
    ...spec,
    binds: [...spec.binds, { source: runFolder, target: runFolder, access: 'write' }],
    script: 'test "$(id -u)" != 0 && test ! -e /etc/shadow && test ! -e "$1" && test -d "$2" && : > /dev/shm/it && echo works',
    args: [join(dataFolder, 'wall'), runFolder],
  });
  return await tryCommand(locked(place.lock, entered), options.account);
}

async function specOf(
  place: WallPlace,
  { dataFolder, runFolder, hidden }: WallOptions,
  programs: readonly string[],
): Promise<Omit<SandboxSpec, 'script' | 'args'>> {
  const systemPaths = await describePaths([...programs, ...FURTHER_PATHS.filter((path) => !programs.includes(path))]);
  const resolver = await realpath(RESOLVER).catch(() => undefined);
  return {
    network: 'host',
    life: 'own',
    systemPaths,
    hidden: await foldersToHide([dataFolder, runFolder, ...hidden], systemPaths),
    binds: [
      { source: place.accounts, target: '/etc/passwd', access: 'read' },
      { source: place.groups, target: '/etc/group', access: 'read' },
      // Often a link to a file of a service, in a folder with its sockets.
      ...(resolver === undefined ? [] : [{ source: resolver, target: RESOLVER, access: 'read' } as const]),
    ],
    memoryFolders: [
      { target: '/tmp', bytes: TEMPORARY_BYTES },
      // Parallel queries share memory there; half of the memory is what the kernel allows as well.
      { target: '/dev/shm', bytes: Math.floor(totalmem() / 2) },
    ],
    scaffold: place.root,
  };
}

/** Those folders that lie below a path that is shown, under any name of theirs; without those that lie below another. */
async function foldersToHide(paths: readonly string[], shown: readonly SystemPath[]): Promise<readonly string[]> {
  const isBelow = (path: string, folder: string) => path.startsWith(`${folder}/`);
  const folders = shown.filter(({ isFolder }) => isFolder).map(({ path }) => path);
  const places: string[] = [];
  for (const path of paths) {
    // What is created later would be seen.
    if (folders.some((folder) => isBelow(path, folder))) await mkdir(path, { recursive: true, mode: 0o711 });
    for (const name of [path, await realpath(path).catch(() => path)])
      if (folders.some((folder) => isBelow(name, folder))) places.push(name);
  }
  const all = [...new Set(places)];
  return all.filter((path) => !all.some((other) => isBelow(path, other)));
}

/** Which of these instances run without a wall, as those do that an earlier version has started. */
export async function listUnwalled(dataFolder: string, runFolder: string, ids: readonly string[]): Promise<readonly string[]> {
  const servers = await Promise.all(ids.map((id) => findPostmaster(foldersOf(dataFolder, runFolder, id).data)));
  return ids.filter((_, index) => {
    const server = servers[index];
    return server !== undefined && !isSeparate(server.pid);
  });
}
