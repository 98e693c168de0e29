import { dirname } from 'node:path';
import type { Command, SandboxSpec } from './sandbox.ts';

/**
 * A sandbox built by unshare(1), setpriv(1) and mount(8) of util-linux, for hosts without bubblewrap.
 *
 * The outer unshare creates a user namespace in which we are root, because umount(8) requires that even with all capabilities.
 * setpriv ties the life of a sandbox that must not outlive us to ours; it must come after, because a change of capabilities clears
 * PR_SET_PDEATHSIG (prctl(2)). The next unshare creates the other namespaces; such a sandbox it kills when it dies itself. At the end of the
 * script a second, nested user namespace drops root and all control over the mounts.
 */
export function unshareCommand(spec: SandboxSpec): Command {
  const isTied = spec.life === 'with-parent';
  return {
    command: 'unshare',
    args: [
      ...['--user', '--map-root-user'],
      ...(isTied ? TIED : []),
      ...['unshare', '--mount', '--pid', '--fork', '--ipc', '--uts'],
      ...(isTied ? ['--kill-child=KILL'] : []),
      ...(spec.network === 'none' ? ['--net'] : []),
      ...['sh', '-c', buildScript(spec), 'sh', spec.script, ...spec.args],
    ],
  };
}

const TIED = ['setpriv', '--pdeathsig', 'KILL'];
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom'];

function buildScript(spec: SandboxSpec): string {
  const root = quote(spec.scaffold);
  const lines = ['set -eu', `mount -t tmpfs -o size=4m,mode=755,nosuid,nodev flux ${root}`, `cd ${root}`];
  lines.push(makeFolders(['/proc', '/dev', ...spec.memoryFolders.map(({ target }) => target)]));
  lines.push('mount -t proc -o nosuid,nodev,noexec proc proc');
  for (const device of DEVICES) lines.push(`: > dev/${device}`, `mount --bind /dev/${device} dev/${device}`);
  lines.push('ln -s /proc/self/fd dev/fd');
  for (const { target, bytes } of spec.memoryFolders)
    lines.push(`mount -t tmpfs -o size=${bytes},mode=700,nosuid,nodev flux ${quote(`.${target}`)}`);
  // After /tmp: Postgres may have been unpacked below it.
  lines.push(makeFolders(spec.systemPaths.map(({ path, isFolder }) => (isFolder ? path : dirname(path)))));
  for (const { path, linkTo, isFolder } of spec.systemPaths) {
    const at = quote(`.${path}`);
    if (linkTo !== undefined) lines.push(`ln -s ${quote(linkTo)} ${at}`);
    // With everything mounted below it: a user namespace may not split mounts that it has inherited.
    else lines.push(...(isFolder ? [] : [`: > ${at}`]), `mount --rbind ${quote(path)} ${at}`);
  }
  for (const path of spec.hidden ?? []) lines.push(`mount -t tmpfs -o size=64k,mode=755,nosuid,nodev flux ${quote(`.${path}`)}`);
  lines.push(makeFolders(spec.binds.map(({ target }) => dirname(target))));
  for (const { source, target } of spec.binds) {
    const at = quote(`.${target}`);
    lines.push(`if test -d ${quote(source)}; then mkdir -p ${at}; else : > ${at}; fi`);
    // With everything mounted below it, for the same reason: somebody may have put the WAL on a volume of its own.
    lines.push(`mount --rbind ${quote(source)} ${at}`);
  }
  const writable = spec.binds.flatMap(({ target, access }) => (access === 'write' ? [target] : []));
  const spared = ['/proc', ...DEVICES.map((device) => `/dev/${device}`), ...spec.memoryFolders.map(({ target }) => target), ...writable];
  lines.push(
    'mkdir .old',
    'pivot_root . .old',
    'cd /',
    'umount -l /.old',
    'rmdir /.old',
    // Allows one more user namespace, the nested one, and none inside it: user namespaces are a large part of the kernel's attack surface.
    'echo 1 > /proc/sys/user/max_user_namespaces 2>/dev/null || true',
    sealing(spared, writable),
    'inner="$1"; shift',
    `exec unshare --user --map-user=1000 --map-group=1000 --keep-caps setpriv ${spec.life === 'with-parent' ? '--pdeathsig KILL ' : ''}--no-new-privs --bounding-set=-all --inh-caps=-all --ambient-caps=-all sh -c "$inner" sh "$@"`,
  );
  return lines.join('\n');
}

/**
 * Lines that make every mount of the new root read-only, nested ones included, except those at the given paths, or below some of them. They
 * read the list of mounts from the kernel, so that none is missed, and fail when one cannot be made read-only.
 *
 * A mount that the user namespace has inherited keeps its restrictions: a remount that leaves out `noexec` is refused. A mount that is
 * hidden by another one cannot be changed, and cannot be reached either: its path shows the id of another mount, or does not exist.
 */
function sealing(spared: readonly string[], sparedBelow: readonly string[]): string {
  const patterns = [...spared.map(quote), ...sparedBelow.map((path) => `${quote(path)}/*`)].join(' | ');
  return `shows() {
  test -e "$1" || return 1
  test -r "$1" || return 0
  test -d "$1" || test -f "$1" || return 0
  while read -r key value; do
    if test "$key" = mnt_id:; then test "$value" = "$2"; return; fi
  done 9< "$1" < /proc/self/fdinfo/9
}
while read -r id parent device inside point options rest; do
  case $point in
    *\\\\*) point=$(printf "$(printf %s "$point" | sed 's/%/%%/g')."); point=\${point%.} ;;
  esac
  case $point in ${patterns}) continue ;; esac
  shows "$point" "$id" || continue
  flags=remount,bind,ro,nosuid,nodev
  for flag in noexec nosymfollow; do
    case ,$options, in *,$flag,*) flags=$flags,$flag ;; esac
  done
  mount -o "$flags" "$point"
done < /proc/self/mountinfo`;
}

/** One line for all of them: each program that is started costs a few milliseconds. */
function makeFolders(paths: readonly string[]): string {
  const names = [...new Set(paths)].filter((path) => path !== '/').map((path) => quote(`.${path}`));
  return names.length === 0 ? ':' : `mkdir -p ${names.join(' ')}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
