import type { Command, SandboxSpec } from './sandbox.ts';

/**
 * A sandbox built by bubblewrap. Options: bwrap(1).
 *
 * The order matters: bubblewrap processes its options from left to right, so later mounts cover earlier ones.
 */
export function bubblewrapCommand(spec: SandboxSpec): Command {
  const { hidden = [] } = spec;
  const args = [
    // Also --unshare-user explicitly: --unshare-all only tries to create a user namespace, and --disable-userns requires one.
    ...['--unshare-user', '--unshare-all', '--disable-userns', '--hostname', 'flux'],
    ...(spec.network === 'host' ? ['--share-net'] : []),
    ...(spec.life === 'with-parent' ? ['--die-with-parent'] : []),
    ...['--new-session', '--cap-drop', 'ALL'],
    ...['--proc', '/proc', '--dev', '/dev'],
    ...spec.memoryFolders.flatMap(({ target, bytes }) => ['--perms', '0700', '--size', String(bytes), '--tmpfs', target]),
    // After /tmp: Postgres may have been unpacked below it.
    ...spec.systemPaths.flatMap(({ path, linkTo }) => (linkTo === undefined ? ['--ro-bind', path, path] : ['--symlink', linkTo, path])),
    ...hidden.flatMap((path) => ['--perms', '0755', '--size', '65536', '--tmpfs', path]),
    ...spec.binds.flatMap(({ source, target, access }) => [access === 'read' ? '--ro-bind' : '--bind', source, target]),
    // The root, /dev and what hides a folder are in memory, of which nobody must take any.
    ...[...hidden, '/dev', '/'].flatMap((path) => ['--remount-ro', path]),
    ...['--chdir', '/', 'sh', '-c', spec.script, 'sh', ...spec.args],
  ];
  return { command: 'bwrap', args };
}
