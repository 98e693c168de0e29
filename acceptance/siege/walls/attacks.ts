import { chownSync } from 'node:fs';
import { join } from 'node:path';
import { type Flux, startFlux, type TestProject } from '../../harness/flux.ts';
import { findClient, psql } from '../../harness/postgres.ts';
import { postmasterPid } from '../../harness/postmaster.ts';
import { catalogUri, instanceOf, superuserUri } from '../../harness/superuser.ts';

/** Two projects of one Flux, each with an instance; the first one attacks as its superuser. */
export interface Neighbours {
  readonly flux: Flux;
  readonly attacker: TestProject;
  readonly victim: TestProject;
  /** Names of their instances. */
  readonly own: string;
  readonly other: string;
}

/** An account that is not root, and not that of Postgres either. */
const ORDINARY = { uid: 65534, gid: 65534 };

/** Starts Flux with a kind of wall, as root or as an ordinary user, with two projects of which one has a backup. */
export async function startNeighbours(kind: string, as: 'root' | 'ordinary'): Promise<Neighbours> {
  const isOther = as === 'ordinary' && process.getuid?.() === 0;
  const { uid, gid } = ORDINARY;
  const flux = await startFlux({
    env: { FLUX_INSTANCE_WALL: kind, FLUX_LOG_LEVEL: 'warn' },
    prepare: (folder) => {
      if (isOther) chownSync(folder, uid, gid);
    },
    wrap: (command) => (isOther ? ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', ...command] : command),
  });
  try {
    const attacker = await flux.createProject('attacker', 'v1_dedicated');
    const victim = await flux.createProject('victim', 'v1_dedicated');
    await flux.push(victim, `create table secrets (text text); insert into secrets values ('of the victim');`);
    const created = await flux.flux('backup', 'create', ...victim.flags);
    if (created.exitCode !== 0) throw new Error(created.stderr);
    const instance = async ({ hash }: TestProject) => {
      const id = await psql(catalogUri(flux), `select id from projects where hash = '${hash}'`);
      return instanceOf(id.trim(), 'v1_dedicated');
    };
    return { flux, attacker, victim, own: await instance(attacker), other: await instance(victim) };
  } catch (error) {
    await flux[Symbol.asyncDispose]();
    throw error;
  }
}

export const folderOf = ({ flux }: Neighbours, instance: string) => join(flux.dataFolder, 'instances', instance);
export const serverOf = (all: Neighbours, instance: string) => postmasterPid(join(folderOf(all, instance), 'data'));
export const asSuperuser = async (all: Neighbours, sql: string) => psql(superuserUri(all.flux, all.own, 'postgres'), sql);

/** Runs a script of sh as the superuser of the attacker can; what it prints. */
export async function runInside(all: Neighbours, script: string): Promise<string> {
  const sql = `create temp table said (line text);
    copy said from program $flux$${script}$flux$ with (format csv, delimiter e'\\x01', quote e'\\x02');
    select line from said;`;
  return (await asSuperuser(all, sql)).trim();
}

/** The names of those attacks that succeed, from inside. */
export async function succeed(all: Neighbours, attacks: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const lines = Object.entries(attacks).map(([name, script]) => `if (${script}) > /dev/null 2>&1; then echo '${name}'; fi`);
  const said = await runInside(all, `${placesOf(all)}\n${lines.join('\n')}`);
  return said.split('\n').filter((line) => line !== '');
}

/** The statements of SQL among these that succeed. */
export async function succeedInSql(all: Neighbours, attacks: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const done: string[] = [];
  for (const [name, sql] of Object.entries(attacks)) {
    const isDone = await asSuperuser(all, sql).then(
      () => true,
      () => false,
    );
    if (isDone) done.push(name);
  }
  return done;
}

function placesOf(all: Neighbours): string {
  const { dataFolder } = all.flux;
  const places = {
    DATA: dataFolder,
    OWN: folderOf(all, all.own),
    OTHER: folderOf(all, all.other),
    SOCKETS: join(dataFolder, 'run'),
    OTHER_SOCKET: join(dataFolder, 'run', all.other),
    OTHER_PID: String(serverOf(all, all.other)),
    FLUX_PID: String(all.flux.pid()),
    BIN: findClient(),
  };
  return Object.entries(places)
    .map(([name, value]) => `${name}='${value}'`)
    .join('\n');
}

/** What reads what belongs to others. All of it belongs to the account, or can be read by it, when it is to be seen at all. */
export const READING = {
  'data of another project': 'cat "$OTHER/data/PG_VERSION"',
  'data of the catalog': 'ls "$DATA/instances/catalog/data/base"',
  'its folder through a link': 'rm -f "$OWN/data/link"; ln -s "$OTHER/data" "$OWN/data/link" && ls "$OWN/data/link/base"',
  'sockets of others': 'ls "$OTHER_SOCKET"',
  'its data through another process': 'for root in /proc/[0-9]*/root; do ls "$root$OTHER/data/base" && exit 0; done; exit 1',
  'its data through a folder that is open':
    'for folder in /proc/[0-9]*/cwd /proc/[0-9]*/fd/*; do ls "$folder/../../$(basename "$OTHER")/data/base" && exit 0; done; exit 1',
  'names of other instances': `ls "$DATA/instances" | grep -v "^$(basename "$OWN")\\$"`,
} as const;

/** The same of Flux itself. As root these belong to root, so only an ordinary user's Flux shows what the wall does. */
export const READING_FLUX = {
  'key of Flux': 'cat "$DATA/secret.key"',
  'token of the admin': 'cat "$DATA/admin-token"',
  backups: 'cat "$DATA"/backups/*/*.dump',
  'secret of its own superuser': 'cat "$OWN/superuser.secret"',
  'environment of Flux': 'cat "/proc/$FLUX_PID/environ"',
  'memory of Flux': 'head -c 1 "/proc/$FLUX_PID/maps"',
} as const;

export const SIGNALS = {
  'signal to another server': 'kill -0 "$OTHER_PID"',
  'tracing another server': 'grep -q . "/proc/$OTHER_PID/maps"',
  'environment of another server': 'grep -q . "/proc/$OTHER_PID/environ"',
  'shared memory of others': 'test "$(ipcs -m | grep -c "^0x")" -gt 1',
  'connection to the socket of another':
    '"$BIN/psql" -w -h "$OTHER_SOCKET" -p "$(ls -A "$OTHER_SOCKET" | sed -n "s/^.s.PGSQL.\\([0-9]*\\)$/\\1/p")" -U flux_admin postgres -c "" 2>&1 | grep -q password',
} as const;

export const BREAKING_OUT = {
  mount: 'mount -t tmpfs none /tmp',
  'a mount that is made writable': 'mount -o remount,bind,rw /usr',
  umount: 'umount "$OWN/settings"',
  chroot: 'chroot / true',
  'a user namespace': 'unshare --user true',
  'a mount namespace': 'unshare --mount true',
  'the namespaces of the first process': 'nsenter --target 1 --mount --pid true',
  'a device': 'mknod "$OWN/data/disk" b 8 0',
  'a device that is there': 'find /dev -type b | grep -q .',
  'programs of Postgres': ': > "$BIN/written"',
  'libraries of the system': ': > /usr/lib/written',
  'its own settings': ': > "$OWN/settings/postgresql.conf"',
  'the root': ': > /written',
  'settings of the kernel': 'echo 1 > /proc/sys/kernel/panic_on_oops',
  'more rights from a program': 'test "$(sed -n "s/^NoNewPrivs:[[:space:]]*//p" /proc/self/status)" = 0',
  'a capability': '! grep -q "^CapBnd:[[:space:]]*0*$" /proc/self/status',
  'a mount of the system that can be written': `awk '$5 ~ "^/(usr|opt|etc)" && $6 !~ "^ro" {found = 1} END {exit !found}' /proc/self/mountinfo`,
} as const;

/** What a superuser does by SQL alone. */
export function sqlAttacks(all: Neighbours): Readonly<Record<string, string>> {
  const other = folderOf(all, all.other);
  return {
    pg_read_file: `select pg_read_file('${other}/data/PG_VERSION')`,
    pg_ls_dir: `select pg_ls_dir('${other}/data')`,
    lo_import: `select lo_import('${other}/data/PG_VERSION')`,
    'copy from': `create temp table t (x text); copy t from '${other}/data/PG_VERSION'`,
    'copy to': `copy (select 1) to '${other}/data/written'`,
    lo_export: `select lo_export(lo_from_bytea(0, 'x'), '${other}/data/written')`,
    'a tablespace': `create tablespace stolen location '${other}/data/base'`,
  };
}
