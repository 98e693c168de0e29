import { run } from './process.ts';
import { type LeftOutOptions, leaveOut } from './sandbox.ts';

/**
 * A command line that changes what a program sees of the host, with shell commands in a separate mount namespace, and then executes the
 * program. As an ordinary user it also needs a user namespace.
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

/** Options of a test that needs such a namespace: it is skipped where none can be created. */
export async function needsDisguise(): Promise<LeftOutOptions> {
  const [command = '', ...args] = inDisguise('true', ['true']);
  const entered = await run(command, args);
  return entered.exitCode === 0 ? {} : leaveOut(`no mount namespace can be created on this host (${entered.stderr.trim()})`);
}
