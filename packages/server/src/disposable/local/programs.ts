import { chmod, chown, open } from 'node:fs/promises';
import { FluxError } from '@flux/contract/errors';
import { SUPERUSER } from '../../instances/names.ts';
import { boundingLines, type Sandbox, type SandboxSpec, type SystemPath } from '../../instances/sandbox/sandbox.ts';
import { adviseOnInstalling } from '../../postgres/install-advice.ts';
import { type ServerSettings, settingArguments } from '../../postgres/server-settings.ts';
import { libpqOptions } from '../../postgres/session-settings.ts';
import type { PostgresTarget, PostgresTools } from '../../postgres/target.ts';
import { libpqEnvironment } from '../../postgres/target.ts';
import { type Account, type Daemon, type ProcessOptions, type ProcessResult, runProcess, startDaemon } from '../../system/process.ts';
import type { DisposableLimits, InsideDump } from '../provider.ts';
import { RESTORE_DATABASE } from '../restore-database.ts';
import { disposableSettings } from '../settings.ts';
import type { DisposableFolders } from './folders.ts';
import type { Template } from './template.ts';

/** What the programs of one disposable instance are started with. */
export interface DisposableSetting {
  readonly sandbox: Sandbox;
  readonly folders: DisposableFolders;
  readonly tools: PostgresTools;
  readonly systemPaths: readonly SystemPath[];
  readonly template: Template;
  readonly account: Account | undefined;
  readonly limits: DisposableLimits;
  /** Settings beyond those of every disposable server: libraries that it loads at its start. */
  readonly preload?: ServerSettings | undefined;
  /** Bytes reserved in memory for the data folder; null for a folder on disk. */
  readonly memoryBytes: number | null;
}

/** Paths inside the sandbox. Without a sandbox, these are paths of the host. */
export interface Inside {
  readonly data: string;
  readonly socket: string;
  readonly template: string;
}

const ARCHIVE_INSIDE = '/flux/archive';

export function insideOf({ sandbox, folders, template }: DisposableSetting): Inside {
  if (sandbox.kind === 'off') return { data: folders.data, socket: folders.socket, template: template.folder };
  return { data: '/flux/data', socket: '/flux/socket', template: '/flux/template' };
}

/** How the superuser connects from outside. No password: the socket is in a private folder. */
export function disposableTarget(folders: DisposableFolders, database: string = RESTORE_DATABASE): PostgresTarget {
  return { host: folders.socket, port: 5432, user: SUPERUSER, database };
}

/** Starts the server in a sandbox: a script copies the template to the data folder and then executes postgres. */
export async function startDisposableServer(setting: DisposableSetting): Promise<Daemon> {
  const { sandbox, folders, tools, account, limits, memoryBytes, template } = setting;
  const inside = insideOf(setting);
  const command = sandbox.enter({
    ...commonSpec(setting),
    binds: [
      { source: template.folder, target: inside.template, access: 'read' },
      { source: folders.socket, target: inside.socket, access: 'write' },
      { source: folders.accounts, target: '/etc/passwd', access: 'read' },
      ...(memoryBytes === null ? [{ source: folders.data, target: inside.data, access: 'write' } as const] : []),
    ],
    memoryFolders: [...SCRATCH, ...(memoryBytes === null ? [] : [{ target: inside.data, bytes: memoryBytes }])],
    script: `${boundingLines(sandbox.kind, bounds(limits))}cp -a "$1/." "$2/" && shift 2 && exec "$@"`,
    args: [
      inside.template,
      inside.data,
      tools.postgres as string,
      ...['-D', inside.data],
      ...settingArguments({ ...disposableSettings(limits, { socketFolder: inside.socket, socketMode: '0700' }), ...setting.preload }),
    ],
  });
  await using log = await open(folders.log, 'a', 0o600);
  // In its own session: Ctrl-C in a terminal must reach only the control plane, which then ends this in an orderly way.
  return startDaemon(command.command, command.args, { account, logFd: log.fd, detached: true, env: { TZ: 'UTC' } });
}

/** Revokes the server's access to the socket's folder, where it could create a link to another socket. Only possible as root. */
export async function sealSocketFolder(folders: DisposableFolders, account: Account | undefined): Promise<void> {
  if (account === undefined) return;
  await chown(folders.socket, 0, account.gid);
  await chmod(folders.socket, 0o710);
}

/** Runs pg_restore in a sandbox that shares only the socket with the server's. */
export async function runRestore(
  setting: DisposableSetting,
  archivePath: string,
  args: readonly string[],
  onSpawn: (pid: number) => void,
): Promise<ProcessResult> {
  const archive = setting.sandbox.kind === 'off' ? archivePath : ARCHIVE_INSIDE;
  const program = [setting.tools.pgRestore as string, ...args, '--dbname', RESTORE_DATABASE, archive];
  return await runClient(setting, program, [{ source: archivePath, target: archive, access: 'read' }], { onSpawn });
}

/** Runs pg_dump in such a sandbox. @throws FluxError `verification_inconclusive` when this host has none */
export async function runDump(
  setting: DisposableSetting,
  { args, settings, onStdout }: InsideDump,
  onSpawn: (pid: number) => void,
): Promise<ProcessResult> {
  const { pgDump, major } = setting.tools;
  if (pgDump === undefined)
    throw new FluxError('verification_inconclusive', `There is no pg_dump of major version ${major} on this host.`, {
      hint: adviseOnInstalling(major, `postgresql-client-${major}`),
    });
  return await runClient(setting, [pgDump, ...args], [], { onSpawn, onStdout, env: libpqOptions(settings) });
}

async function runClient(
  setting: DisposableSetting,
  program: readonly string[],
  binds: SandboxSpec['binds'],
  { env, ...options }: Pick<ProcessOptions, 'env' | 'onSpawn' | 'onStdout'>,
): Promise<ProcessResult> {
  const { sandbox, folders, account, limits } = setting;
  const inside = insideOf(setting);
  const command = sandbox.enter({
    ...commonSpec(setting),
    binds: [
      // Connecting to a socket needs no write access to its folder.
      { source: folders.socket, target: inside.socket, access: 'read' },
      ...binds,
      { source: folders.accounts, target: '/etc/passwd', access: 'read' },
    ],
    memoryFolders: SCRATCH,
    script: `${boundingLines(sandbox.kind, bounds(limits))}exec "$@"`,
    args: program,
  });
  const address = libpqEnvironment({ ...disposableTarget(folders), host: inside.socket });
  return await runProcess(command.command, command.args, { account, env: { ...address, TZ: 'UTC', ...env }, ...options });
}

/** Temporary space in memory, with a limit: by default a tmpfs may use half of the host's memory. */
const SCRATCH = [
  { target: '/tmp', bytes: 64 * 2 ** 20 },
  { target: '/dev/shm', bytes: 128 * 2 ** 20 },
];

function commonSpec({ systemPaths, folders }: DisposableSetting): Pick<SandboxSpec, 'network' | 'life' | 'systemPaths' | 'scaffold'> {
  return { network: 'none', life: 'with-parent', systemPaths, scaffold: folders.scaffold };
}

/** A few more processes than the limit, so that the watchdog sees it exceeded before the server fails to fork. */
function bounds(limits: DisposableLimits): { memoryBytes: number; processes: number } {
  return { memoryBytes: limits.memoryBytes, processes: limits.processes + 16 };
}
