import { isFluxError } from '@flux/contract/errors';
import { reconcile } from './compose/reconcile.ts';
import { type ControlPlane, startControlPlane } from './compose.ts';
import { readConfig } from './config.ts';
import { createLog } from './system/log.ts';
import { stopInTime } from './system/stop-in-time.ts';
import { surviveStrayErrors } from './system/stray-errors.ts';
import { VERSION } from './version.ts';

const USAGE = `flux-server runs the control plane of Flux.

  flux-server            run it (the same as "flux-server all")
  flux-server migrate    bring the catalog's tables up to date, then end
  flux-server reconcile --dry-run | --apply
                         say what is found that the catalog does not know, and adopt it, then end
  flux-server --version

Settings come from the environment; see docs/settings.md.
`;

/** Runs until a signal. @returns the exit code */
async function main(args: readonly string[]): Promise<number> {
  const [command = 'all'] = args;
  if (command === '--help' || command === '-h') return say(USAGE);
  if (command === '--version') return say(`${VERSION}\n`);
  if (command !== 'all' && command !== 'migrate' && command !== 'reconcile') return misused(`There is no "${command}".`);
  const how = command === 'reconcile' ? args[1]?.replace(/^--/, '') : undefined;
  if (command === 'reconcile' && how !== 'dry-run' && how !== 'apply')
    return misused('`flux-server reconcile` takes --dry-run, which changes nothing, or --apply.');
  try {
    const config = readConfig(process.env, process.getuid?.() === 0);
    const log = createLog(config.logLevel);
    surviveStrayErrors(log);
    if (command === 'reconcile') {
      await reconcile(config, log, how as 'dry-run' | 'apply', (line) => say(`${line}\n`));
      return 0;
    }
    const signal = untilSignal();
    const starting = startControlPlane(config, log, command);
    const controlPlane = await Promise.race([starting, signal]);
    // Asked to stop before it was ready: what it has begun is found again, or swept, by the next start.
    if (typeof controlPlane === 'string') return 130;
    if (command === 'migrate') {
      await stop(controlPlane);
      return say('The catalog is up to date.\n');
    }
    if (controlPlane.firstTokenPath !== undefined)
      say(`The first admin token is in ${controlPlane.firstTokenPath}\n  flux login --token-stdin < ${controlPlane.firstTokenPath}\n`);
    say(`Flux is ready at ${controlPlane.url}\n`);
    const why = await Promise.race([signal, untilAborted(controlPlane.failed)]);
    if (typeof why === 'string') log.info({ signal: why }, 'stopping');
    else log.fatal({ err: why }, 'stopping, since the control plane cannot go on');
    await stop(controlPlane);
    if (typeof why !== 'string') throw why;
    return 0;
  } catch (error) {
    process.stderr.write(
      isFluxError(error)
        ? `${error.message}\n${error.hint === undefined ? '' : `${error.hint}\n`}`
        : `${(error as Error).stack ?? error}\n`,
    );
    return isFluxError(error) ? error.exitCode : 1;
  }
}

/** Stops it, or ends the process when that takes too long. */
const stop = (controlPlane: ControlPlane) =>
  stopInTime(controlPlane, (sentence) => {
    process.stderr.write(`${sentence}\n`);
    process.exit(1);
  });

function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(name, () => {
        // A second signal means it: orphaned instances are found again at the next start.
        if (asked) process.exit(130);
        asked = true;
        resolve(name);
      });
    }
  });
}

/** Resolves with the reason of an abort. */
function untilAborted(signal: AbortSignal): Promise<Error> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason as Error), { once: true }));
}

function misused(what: string): number {
  process.stderr.write(`${what}\n\n${USAGE}`);
  return 2;
}

function say(text: string): number {
  process.stdout.write(text);
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
// Whatever still holds the loop open (a keep-alive connection, a timer of a library) must not keep a stopped server alive.
process.exit();
