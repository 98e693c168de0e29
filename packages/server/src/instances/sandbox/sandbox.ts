import { lstat, readlink } from 'node:fs/promises';
import { release } from 'node:os';
import { FluxError } from '@flux/contract/errors';
import { type Account, runProcess } from '../../system/process.ts';
import { adviseOnSandbox, readHostFacts } from './advice.ts';
import { bubblewrapCommand } from './bubblewrap.ts';
import { unshareCommand } from './unshare.ts';

/** How processes of this host are isolated; `off`: not at all. */
export type IsolationKind = 'bubblewrap' | 'unshare' | 'off';

/** What a sandbox contains. Nothing else exists inside: no other process, no file of the host. */
export interface SandboxSpec {
  /** `none`: an empty network of its own. `host`: that of the host. */
  readonly network: 'none' | 'host';
  /** `with-parent`: everything inside is killed when the process ends that started it. `own`: it goes on, until its first program ends. */
  readonly life: 'with-parent' | 'own';
  /** Paths of the host that appear read-only under the same name; symbolic links appear as such. */
  readonly systemPaths: readonly SystemPath[];
  /** Folders below `systemPaths` that must not be seen: empty inside, but for `binds` that lie in them. */
  readonly hidden?: readonly string[];
  /** Folders and files of the host, under other names or the same. */
  readonly binds: readonly { readonly source: string; readonly target: string; readonly access: 'read' | 'write' }[];
  /** Folders in memory, each with its limit. */
  readonly memoryFolders: readonly { readonly target: string; readonly bytes: number }[];
  /** An empty folder of the host on which the sandbox may mount its root. */
  readonly scaffold: string;
  /** What runs inside: a script for sh, with its arguments as `$1`, `$2`... */
  readonly script: string;
  readonly args: readonly string[];
}

/** A path of the system, and its target when it is a symbolic link. */
export interface SystemPath {
  readonly path: string;
  readonly linkTo?: string;
  readonly isFolder: boolean;
}

/** A program and its arguments. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
}

/** A kind of sandbox that works on this host. */
export interface Sandbox {
  readonly kind: IsolationKind;
  enter(spec: SandboxSpec): Command;
}

/** The command line that enters a sandbox of each kind. */
export const SANDBOXES: Readonly<Record<IsolationKind, Sandbox['enter']>> = {
  bubblewrap: bubblewrapCommand,
  unshare: unshareCommand,
  off: (spec) => ({ command: 'sh', args: ['-c', spec.script, 'sh', ...spec.args] }),
};

export interface ProbeOptions {
  readonly wanted: 'auto' | IsolationKind;
  readonly account: Account | undefined;
  /** A folder that the account can reach. */
  readonly scaffold: string;
}

/**
 * Chooses the strongest sandbox that works on this host. Each is tried, since an installed program may still be forbidden by the kernel,
 * by a container, or by a security module.
 *
 * @throws FluxError `sandbox_unavailable`
 */
export async function chooseSandbox({ wanted, account, scaffold }: ProbeOptions): Promise<Sandbox> {
  if (wanted === 'off') return { kind: 'off', enter: SANDBOXES.off };
  const problems: string[] = [];
  for (const kind of wanted === 'auto' ? (['bubblewrap', 'unshare'] as const) : [wanted]) {
    const problem = await trySandbox(kind, account, scaffold);
    if (problem === undefined) return { kind, enter: SANDBOXES[kind] };
    problems.push(`${kind}: ${problem}`);
  }
  throw new FluxError('sandbox_unavailable', `No sandbox for restores works on this host (${problems.join('; ')}).`, {
    hint: adviseOnSandbox(await readHostFacts()).hint,
    details: { problems },
  });
}

/** Starts a small sandbox and checks its isolation from inside. Undefined when it works, otherwise the problem. */
export async function trySandbox(kind: IsolationKind, account: Account | undefined, scaffold: string): Promise<string | undefined> {
  const spec: SandboxSpec = {
    network: 'none',
    life: 'with-parent',
    systemPaths: await describePaths(['/usr', '/lib', '/lib32', '/lib64', '/bin', '/sbin', '/etc/ld.so.cache']),
    binds: [],
    memoryFolders: [{ target: '/tmp', bytes: 1 << 20 }],
    scaffold,
    // Inside, the only network interface is the loopback of an empty network, and nothing of the host's /etc is there.
    script: 'test "$(id -u)" != 0 && test ! -e /etc/shadow && test ! -e /root && test "$(grep -c : /proc/net/dev)" = 1 && echo works',
    args: [],
  };
  return await tryCommand(SANDBOXES[kind](spec), account);
}

/** Runs a command that prints `works` when it does. Undefined then, otherwise the problem. */
export async function tryCommand({ command, args }: Command, account: Account | undefined): Promise<string | undefined> {
  const result = await runProcess(command, args, { account, signal: AbortSignal.timeout(10_000) }).catch((error: Error) => error);
  if (!(result instanceof Error) && result.stdout.trim() === 'works') return undefined;
  return (result instanceof Error ? result.message : result.stderr.trim() || `status ${result.exitCode}`).slice(0, 300);
}

/** Reads paths of the system; those that do not exist are left out. */
export async function describePaths(paths: readonly string[]): Promise<readonly SystemPath[]> {
  const described: SystemPath[] = [];
  for (const path of paths) {
    const facts = await lstat(path).catch(() => undefined);
    if (facts === undefined) continue;
    if (facts.isSymbolicLink()) described.push({ path, linkTo: await readlink(path), isFolder: false });
    else described.push({ path, isFolder: facts.isDirectory() });
  }
  return described;
}

/**
 * Lines for the start of a script that limit the processes it starts. Each process is limited separately; the watchdog limits their sum.
 */
export function boundingLines(kind: IsolationKind, limits: { readonly memoryBytes: number; readonly processes: number }): string {
  const addressSpaceKb = Math.ceil(limits.memoryBytes / 1024) + 512 * 1024;
  const lines = ['ulimit -c 0', `ulimit -v ${addressSpaceKb}`, 'echo 1000 > /proc/self/oom_score_adj || true'];
  // The number of processes is counted for each user namespace since Linux 5.14; before that, and without a namespace,
  // everything that runs under the same account would count. `-p` is dash, `-u` is bash.
  if (kind !== 'off' && countsPerNamespace(release()))
    lines.push(`ulimit -p ${limits.processes} 2>/dev/null || ulimit -u ${limits.processes}`);
  return `${lines.join('\n')}\n`;
}

/** Whether a kernel of this release, such as `6.1.0-18-amd64`, counts RLIMIT_NPROC per user namespace. */
export function countsPerNamespace(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(Number);
  return major > 5 || (major === 5 && minor >= 14);
}
