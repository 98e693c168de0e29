import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { pause, until } from '../harness/process.ts';
import { catalogUri } from '../harness/superuser.ts';
import { siegeChapter } from './attack.ts';
import { findLies } from './storm/check.ts';
import { PREPARE, startClients, startImporter } from './storm/clients.ts';
import { growthOf, ROUNDS } from './storm/growth.ts';
import { BLOWS, drawBlow } from './storm/kills.ts';
import { startMover, startRestorer } from './storm/stories.ts';
import { type Storm, startStorm } from './storm/told.ts';

/** How long the storm lasts at least. `npm run test:siege` sets 600. */
const SECONDS = Number(process.env.FLUX_TEST_STORM_SECONDS ?? 60);
/** From the end of one blow to the next. */
const CALM_MS = 3500;

/** Every kind of work that clients do during the storm. */
const WORK = [
  ...['push', 'write', 'create and verify', 'verify', 'download', 'restore into', 'nuke', 'create project', 'migrate'],
  ...['restore in place', 'undo of a restore', 'reset', 'undo of a reset', 'import', 'verify an import', 'delete'],
];
const IS_SHORT = SECONDS < 300;
/** How often each kind of blow must hit. */
const LEAST_HITS = IS_SHORT ? 1 : 3;
/** How many kinds of work must succeed, and how often each: what takes several steps may never come to its last in a short storm. */
const [KINDS_DONE, LEAST_DONE] = IS_SHORT ? [WORK.length / 2, 1] : [WORK.length, 3];
const LEAST_KILLS = SECONDS / (IS_SHORT ? 15 : 6);
const MORE_MB = 64;
const MORE_DESCRIPTORS = 10;

const attack = siegeChapter('A storm of kills');

let flux: Flux;
let projects: TestProject[];
let restored: TestProject[];
let importing: TestProject;
let archive: string;
beforeAll(async () => {
  flux = await startFlux();
  projects = [];
  for (const [slug, mode] of [
    ['storm-a', 'v1_dedicated'],
    ['storm-b', 'v1_dedicated'],
    ['storm-c', 'v2_shared'],
    ['storm-d', 'v2_shared'],
  ] as const) {
    const project = await flux.createProject(slug, mode);
    await flux.push(project, PREPARE);
    projects.push(project);
  }
  restored = [await flux.createProject('storm-own', 'v1_dedicated'), await flux.createProject('storm-pool', 'v2_shared')];
  importing = await flux.createProject('storm-import', 'v1_dedicated');
  await flux.push(importing, PREPARE);
  archive = join(flux.folder, 'import.dump');
  for (const args of [['create'], ['download', '--latest', '--output', archive]])
    expect((await flux.flux('backup', ...args, ...importing.flags)).exitCode).toBe(0);
}, 180_000);
afterAll(() => flux?.[Symbol.asyncDispose]());

const isReady = async () => (await fetch(`${flux.url}/readyz`).catch(() => undefined))?.status === 200;

attack(
  `At least ${SECONDS} s of all kinds of work on seven projects, and on new ones, while the server, the catalog alone, instances, tools and sandboxes are killed`,
  `no lie, nothing stuck, nothing lost of what was acknowledged; ${
    IS_SHORT ? 'each kind of kill hits' : `each kind of kill hits and each kind of work succeeds ${LEAST_DONE} times or more`
  }; in the last server, ${ROUNDS} rounds of work after ${ROUNDS} others take at most ${MORE_MB} MB and ${MORE_DESCRIPTORS} descriptors more`,
  async () => {
    const blows = new Map<string, number>();
    const kills = () => [...blows.values()].reduce((sum, count) => sum + count, 0);
    const rare = () => BLOWS.filter(({ name }) => (blows.get(name) ?? 0) < LEAST_HITS).map(({ name }) => name);
    const often = () => WORK.filter((what) => (storm.told.ended.get(what)?.well ?? 0) >= LEAST_DONE);
    const isEnough = () => kills() >= LEAST_KILLS && rare().length === 0 && often().length >= KINDS_DONE;
    const beganAt = Date.now();
    const seconds = () => (Date.now() - beganAt) / 1000;
    // A busy machine has fewer blows in the time: the storm goes on until there were enough.
    const storm: Storm = startStorm(flux, () => seconds() > SECONDS && (isEnough() || seconds() > 3 * SECONDS));
    const clients = [
      ...projects.map((project) => startClients(storm, project)),
      ...restored.map((project) => startRestorer(storm, project)),
      startImporter(storm, importing, archive),
      startMover(storm),
    ];
    while (!storm.isOver()) {
      const blow = drawBlow(blows, LEAST_HITS);
      if (await blow.strike(flux)) blows.set(blow.name, (blows.get(blow.name) ?? 0) + 1);
      await pause(blow.weight > 3 ? CALM_MS / 2 : CALM_MS);
    }
    const lasted = Math.round(seconds());
    await Promise.all(clients);

    await until('it is ready', isReady, 60_000);
    const unfinished = `select count(*) from operations where state in ('queued', 'running')`;
    await until('nothing is stuck', async () => (await psql(catalogUri(flux), unfinished)).trim() === '0', 180_000);
    const growth = await growthOf(flux, projects);
    const { told } = storm;
    const done = [...told.ended].map(([what, { well, badly }]) => `${what} ${well} of ${well + badly}`).join(', ');
    const struck = `${kills()} kills in ${lasted} s (${[...blows].map(([name, count]) => `${name} ${count}`).join(', ')})`;
    expect(await findLies(flux, [...projects, ...restored], told), `${struck}; ${done}`).toEqual([]);

    expect(rare(), struck).toEqual([]);
    expect(often().length, done).toBeGreaterThanOrEqual(KINDS_DONE);
    expect(kills()).toBeGreaterThanOrEqual(LEAST_KILLS);
    expect(growth.memoryMb).toBeLessThanOrEqual(MORE_MB);
    expect(growth.descriptors).toBeLessThanOrEqual(MORE_DESCRIPTORS);
    const total = (lists: Map<string, number[]>) => [...lists.values()].reduce((sum, { length }) => sum + length, 0);
    return `${struck}; ${total(told.pushes)} pushes and ${total(told.writes)} writes acknowledged, all there; done: ${done}; in the last server ${growth.descriptors} more descriptors, ${growth.memoryMb} MB more memory`;
  },
  3 * SECONDS * 1000 + 900_000,
);
