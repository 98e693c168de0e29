import { run } from './process.ts';
import { type LeftOutOptions, leaveOut } from './sandbox.ts';

/**
 * A command line that first changes, by a shell's commands, what a program sees of the host, and then becomes it: in a mount
 * namespace of its own. As an ordinary user that takes a user namespace as well.
 */
export function inDisguise(changes: string, command: readonly string[]): readonly string[] {
  const [asUser, asBefore] =
    process.getuid?.() === 0
      ? [[], []]
      : [
          ['--user', '--map-current-user', '--keep-caps'],
          ['setpriv', '--inh-caps=-all', '--ambient-caps=-all'],
        ];
  const script = `${changes}\nexec "$@"`;
  return ['unshare', ...asUser, '--mount', '--propagation', 'private', 'sh', '-ec', script, 'sh', ...asBefore, ...command];
}

/** Options of a test that needs a disguise: it is left out where none can be had. */
export async function needsDisguise(): Promise<LeftOutOptions> {
  const [command = '', ...args] = inDisguise('true', ['true']);
  const entered = await run(command, args);
  return entered.exitCode === 0 ? {} : leaveOut(`no mount namespace can be made on this host (${entered.stderr.trim()})`);
}
