// Sees to it that restores have a sandbox where one can be had. It is tried, not looked for: a program that is installed may be
// forbidden, and one that is missing may not be needed.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { existsOnPath, installPackages } from './apt.mjs';

/**
 * Installs bubblewrap where that would help and we may. A host without any sandbox is no failure of the set-up: the server says
 * what it means, the demo and the tests say what they do about it.
 *
 * @param {string} node a Node that runs TypeScript
 * @param {'one' | 'all'} wanted any sandbox that works, or each kind
 */
export function prepareSandbox(node, wanted) {
  const trial = trySandboxes(node);
  if (trial === undefined) return;
  const { bubblewrap, unshare, hint, bubblewrapMayHelp } = trial;
  if (bubblewrap === null || (unshare === null && wanted === 'one')) return;
  const isMissing = !existsOnPath('unshare') || !existsOnPath('setpriv');
  const helps = !existsOnPath('bwrap') && (bubblewrapMayHelp || isMissing || unshare === null);
  if (!helps) return;
  if (process.getuid?.() === 0 && existsOnPath('apt-get')) {
    if (!installPackages(['bubblewrap'])) process.stderr.write('apt-get could not install bubblewrap; going on without it.\n');
  } else if (unshare !== null) {
    process.stderr.write(
      `No sandbox for restores works here, and bubblewrap may be what is missing. To install it, type:\n\n  sudo apt-get install bubblewrap\n\n${hint}\n`,
    );
  }
}

/** Undefined when the account of Postgres cannot be had: the server says so, and what to do, in its own words. */
function trySandboxes(node) {
  const program = fileURLToPath(new URL('sandbox.ts', import.meta.url));
  const { status, stdout } = spawnSync(node, [program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return status === 0 ? JSON.parse(stdout) : undefined;
}
