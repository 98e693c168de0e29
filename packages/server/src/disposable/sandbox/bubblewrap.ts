import type { Command, SandboxSpec } from './sandbox.ts';

/**
 * A sandbox built by bubblewrap. Options: bwrap(1).
 *
 * The order matters: bubblewrap works through its options from left to right, so what is mounted later lies on top.
 */
export function bubblewrapCommand(spec: SandboxSpec): Command {
  const args = [
    // The user namespace by its own name too: --unshare-all only tries to make one, and --disable-userns insists.
    ...['--unshare-user', '--unshare-all', '--disable-userns', '--hostname', 'flux'],
    ...['--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
    ...['--proc', '/proc', '--dev', '/dev'],
    ...spec.memoryFolders.flatMap(({ target, bytes }) => ['--perms', '0700', '--size', String(bytes), '--tmpfs', target]),
    // After /tmp: Postgres may have been unpacked below it.
    ...spec.systemPaths.flatMap(({ path, linkTo }) => (linkTo === undefined ? ['--ro-bind', path, path] : ['--symlink', linkTo, path])),
    ...spec.binds.flatMap(({ source, target, access }) => [access === 'read' ? '--ro-bind' : '--bind', source, target]),
    // The root and /dev are folders in memory without a bound of their own.
    ...['--remount-ro', '/dev', '--remount-ro', '/'],
    ...['--chdir', '/', 'sh', '-c', spec.script, 'sh', ...spec.args],
  ];
  return { command: 'bwrap', args };
}
