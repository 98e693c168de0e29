import { readFileSync } from 'node:fs';
import { type Flux, processesOf } from '../../harness/flux.ts';
import { pause } from '../../harness/process.ts';

/** One kind of blow. It tells whether it hit anything. */
export interface Blow {
  readonly name: string;
  /** How often it comes, against the others. */
  readonly weight: number;
  strike(flux: Flux): Promise<boolean>;
}

const nameOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    // It has ended.
    return '';
  }
};
const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(Math.random() * list.length)];

/** The postmasters whose command line contains a text. */
const postmastersOf = (flux: Flux, text: string) =>
  processesOf(flux.folder).filter(({ pid, command }) => command.includes(text) && / -D /.test(command) && nameOf(pid) === 'postgres');
const toolsOf = (flux: Flux) => processesOf(flux.folder).filter(({ pid }) => ['pg_dump', 'pg_restore'].includes(nameOf(pid)));
const sandboxesOf = (flux: Flux) =>
  processesOf(flux.folder).filter(({ pid, command }) => command.includes('/disposable/') && nameOf(pid) === 'postgres');

function hit(victim: { readonly pid: number } | undefined, signal: NodeJS.Signals = 'SIGKILL'): boolean {
  if (victim === undefined) return false;
  try {
    process.kill(victim.pid, signal);
    return true;
  } catch {
    // It ended a moment ago.
    return false;
  }
}

/** Every kind of blow: the server, the catalog alone, instances, tools, sandboxes, and a process that hangs for a while. */
const BLOWS: readonly Blow[] = [
  { name: 'catalog', weight: 4, strike: async (flux) => hit(postmastersOf(flux, '/instances/catalog/')[0]) },
  { name: 'pool', weight: 3, strike: async (flux) => hit(postmastersOf(flux, '/instances/shared/')[0]) },
  { name: 'dedicated server', weight: 3, strike: async (flux) => hit(pick(postmastersOf(flux, '/instances/p-'))) },
  { name: 'pg_dump or pg_restore', weight: 5, strike: async (flux) => hit(pick(toolsOf(flux))) },
  { name: 'sandbox', weight: 4, strike: async (flux) => hit(pick(sandboxesOf(flux))) },
  {
    name: 'server',
    weight: 3,
    strike: async (flux) => {
      await flux.kill();
      await flux.start();
      return true;
    },
  },
  {
    name: 'server and catalog',
    weight: 1,
    strike: async (flux) => {
      hit(postmastersOf(flux, '/instances/catalog/')[0]);
      await flux.kill();
      await flux.start();
      return true;
    },
  },
  {
    name: 'SIGTERM of the server',
    weight: 1,
    strike: async (flux) => {
      await flux.stop();
      await flux.start();
      return true;
    },
  },
  {
    name: 'a hang of 3 s (SIGSTOP)',
    weight: 1,
    strike: async (flux) => {
      const victim = pick([...toolsOf(flux), ...postmastersOf(flux, '/instances/catalog/')]);
      if (!hit(victim, 'SIGSTOP')) return false;
      await pause(3000);
      hit(victim, 'SIGCONT');
      return true;
    },
  },
];

/** Draws a blow by its weight. */
export function drawBlow(): Blow {
  let at = Math.random() * BLOWS.reduce((sum, { weight }) => sum + weight, 0);
  for (const blow of BLOWS) {
    at -= blow.weight;
    if (at < 0) return blow;
  }
  return BLOWS[0] as Blow;
}
