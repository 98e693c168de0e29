import { descendantsOf } from '../../harness/descendants.ts';
import { type Flux, processesOf } from '../../harness/flux.ts';
import { pause } from '../../harness/process.ts';

/** One kind of blow. It tells whether it hit anything. */
export interface Blow {
  readonly name: string;
  /** How often it comes, against the others. */
  readonly weight: number;
  strike(flux: Flux): Promise<boolean>;
}

interface Victim {
  readonly pid: number;
}

/** How long a blow lies in wait for a process that lives shortly. */
const WAIT_MS = 4000;
const LOOK_MS = 15;

const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(Math.random() * list.length)];

/**
 * The postmasters of instances whose command line contains a text. Those that were adopted are below no server any more. A loader that finds
 * libraries elsewhere stands before the program, under the same name.
 */
const postmastersOf = (flux: Flux, text: string) =>
  processesOf(flux.folder).filter(({ command }) => command.includes(text) && /^\S*\/postgres (?:.* )?-D /.test(command));
/** What the server has started, apart from instances. */
const startedBy = (flux: Flux) => descendantsOf(flux.pid(), (command) => command.includes('/instances/'));
const toolsOf = (flux: Flux, name: string) => startedBy(flux).filter((process) => process.name === name);
const sandboxesOf = (flux: Flux) => startedBy(flux).filter(({ name, parentName }) => name === 'postgres' && parentName !== 'postgres');

function hit(victim: Victim | undefined, signal: NodeJS.Signals = 'SIGKILL'): boolean {
  if (victim === undefined) return false;
  try {
    process.kill(victim.pid, signal);
    return true;
  } catch {
    // It ended a moment ago.
    return false;
  }
}

/** Hits one of those that are found, as soon as there is one: most tools live for less than a second. */
async function hitWhenSeen(find: () => readonly Victim[], signal?: NodeJS.Signals): Promise<Victim | undefined> {
  for (const endsAt = Date.now() + WAIT_MS; Date.now() < endsAt; await pause(LOOK_MS)) {
    const victim = pick(find());
    if (hit(victim, signal)) return victim;
  }
  return undefined;
}
const isHit = async (find: () => readonly Victim[]) => (await hitWhenSeen(find)) !== undefined;

/** Every kind of blow: the server, the catalog alone, instances, tools, sandboxes, and a process that hangs for a while. */
export const BLOWS: readonly Blow[] = [
  { name: 'catalog', weight: 4, strike: (flux) => isHit(() => postmastersOf(flux, '/instances/catalog/')) },
  { name: 'pool', weight: 3, strike: (flux) => isHit(() => postmastersOf(flux, '/instances/shared/')) },
  { name: 'dedicated server', weight: 3, strike: (flux) => isHit(() => postmastersOf(flux, '/instances/p-')) },
  { name: 'pg_dump', weight: 3, strike: (flux) => isHit(() => toolsOf(flux, 'pg_dump')) },
  { name: 'pg_restore', weight: 3, strike: (flux) => isHit(() => toolsOf(flux, 'pg_restore')) },
  { name: 'sandbox', weight: 4, strike: (flux) => isHit(() => sandboxesOf(flux)) },
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
      const isCatalogHit = hit(postmastersOf(flux, '/instances/catalog/')[0]);
      await flux.kill();
      await flux.start();
      return isCatalogHit;
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
      const find = () => [
        ...['pg_dump', 'pg_restore'].flatMap((name) => toolsOf(flux, name)),
        ...postmastersOf(flux, '/instances/catalog/'),
      ];
      const victim = await hitWhenSeen(find, 'SIGSTOP');
      if (victim === undefined) return false;
      await pause(3000);
      hit(victim, 'SIGCONT');
      return true;
    },
  },
];

/** Draws a blow by its weight; one of those that have hit less often than they must, while there are any. */
export function drawBlow(hits: ReadonlyMap<string, number>, least: number): Blow {
  const missing = BLOWS.filter(({ name }) => (hits.get(name) ?? 0) < least);
  const blows = missing.length > 0 ? missing : BLOWS;
  let at = Math.random() * blows.reduce((sum, { weight }) => sum + weight, 0);
  for (const blow of blows) {
    at -= blow.weight;
    if (at < 0) return blow;
  }
  return blows[0] as Blow;
}
