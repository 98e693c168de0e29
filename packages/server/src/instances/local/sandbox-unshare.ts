import type { Command, Room } from './sandbox.ts';

/**
 * A room made by unshare(1), setpriv(1) and mount(8) of util-linux, for hosts without bubblewrap.
 *
 * The outer unshare makes a user namespace in which we are root: umount(8) wants that, however many capabilities one
 * holds. setpriv ties the life of the room to ours; it must come after, because a change of capabilities clears that tie
 * (prctl(2), PR_SET_PDEATHSIG). The next unshare makes the other namespaces and kills everything inside when it dies.
 * At the end of the script a second user namespace below the first takes root and all power over the mounts away again.
 */
export function unshareCommand(room: Room): Command {
  return {
    command: 'unshare',
    args: [
      ...['--user', '--map-root-user'],
      ...['setpriv', '--pdeathsig', 'KILL'],
      ...['unshare', '--mount', '--pid', '--fork', '--kill-child=KILL', '--net', '--ipc', '--uts'],
      ...['sh', '-c', buildScript(room), 'sh', room.script, ...room.args],
    ],
  };
}

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom'];

function buildScript(room: Room): string {
  const root = quote(room.scaffold);
  const lines = ['set -eu', `mount -t tmpfs -o size=4m,mode=755,nosuid,nodev flux ${root}`, `cd ${root}`];
  const bind = (source: string, target: string, isFolder: boolean, isReadOnly: boolean) => {
    const at = quote(`.${target}`);
    lines.push(isFolder ? `mkdir -p ${at}` : `mkdir -p "$(dirname ${at})" && : > ${at}`, `mount --bind ${quote(source)} ${at}`);
    if (isReadOnly) lines.push(`mount -o remount,bind,ro,nosuid,nodev ${at}`);
  };
  lines.push('mkdir -p proc dev', 'mount -t proc -o nosuid,nodev,noexec proc proc');
  for (const device of DEVICES) lines.push(`: > dev/${device}`, `mount --bind /dev/${device} dev/${device}`);
  lines.push('ln -s /proc/self/fd dev/fd');
  for (const { target, bytes } of room.memoryFolders) {
    const at = quote(`.${target}`);
    lines.push(`mkdir -p ${at}`, `mount -t tmpfs -o size=${bytes},mode=700,nosuid,nodev flux ${at}`);
  }
  // After /tmp: Postgres may have been unpacked below it.
  for (const { path, linkTo, isFolder } of room.systemPaths)
    if (linkTo === undefined) bind(path, path, isFolder, true);
    else lines.push(`mkdir -p "$(dirname ${quote(`.${path}`)})" && ln -s ${quote(linkTo)} ${quote(`.${path}`)}`);
  for (const { source, target, access } of room.binds) {
    lines.push(
      `if test -d ${quote(source)}; then mkdir -p ${quote(`.${target}`)}; else mkdir -p "$(dirname ${quote(`.${target}`)})"; : > ${quote(`.${target}`)}; fi`,
    );
    lines.push(`mount --bind ${quote(source)} ${quote(`.${target}`)}`);
    if (access === 'read') lines.push(`mount -o remount,bind,ro,nosuid,nodev ${quote(`.${target}`)}`);
  }
  lines.push(
    'mkdir .old',
    'pivot_root . .old',
    'cd /',
    'umount -l /.old',
    'rmdir /.old',
    // One namespace more, the one below, and none in that: they are a large part of what kernels are attacked through.
    'echo 1 > /proc/sys/user/max_user_namespaces 2>/dev/null || true',
    'mount -o remount,bind,ro,nosuid,nodev /',
    'inner="$1"; shift',
    'exec unshare --user --map-user=1000 --map-group=1000 --keep-caps setpriv --pdeathsig KILL --no-new-privs --bounding-set=-all --inh-caps=-all --ambient-caps=-all sh -c "$inner" sh "$@"',
  );
  return lines.join('\n');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
