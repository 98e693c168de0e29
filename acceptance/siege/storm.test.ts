import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { pause, until } from '../harness/process.ts';
import { catalogUri } from '../harness/superuser.ts';
import { siegeChapter } from './attack.ts';
import { findLies } from './storm/check.ts';
import { PREPARE, startClients, type Told } from './storm/clients.ts';
import { drawBlow } from './storm/kills.ts';

/** How long the storm lasts. `npm run test:siege` sets 600. */
const SECONDS = Number(process.env.FLUX_TEST_STORM_SECONDS ?? 60);
/** From the end of one blow to the next. */
const CALM_MS = 2500;

const attack = siegeChapter('A storm of kills');

let flux: Flux;
let projects: TestProject[];
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
}, 180_000);
afterAll(() => flux?.[Symbol.asyncDispose]());

const openFiles = () => readdirSync(`/proc/${flux.pid()}/fd`).length;
const memoryMb = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${flux.pid()}/status`, 'utf8'))?.[1]) / 1024;
const isReady = async () => (await fetch(`${flux.url}/readyz`).catch(() => undefined))?.status === 200;

attack(
  `${SECONDS} s of all kinds of work on four projects while the server, the catalog alone, instances, tools and sandboxes are killed`,
  'no lie, nothing stuck, no acknowledged push or write lost; memory and descriptors as at the start',
  async () => {
    const fresh = { files: openFiles(), memory: memoryMb() };
    const told: Told = { pushes: new Map(), writes: new Map(), ended: new Map() };
    const endsAt = Date.now() + SECONDS * 1000;
    const isOver = () => Date.now() > endsAt;
    const clients = projects.map((project) => startClients(flux, project, told, isOver));
    const blows = new Map<string, number>();
    while (!isOver()) {
      const blow = drawBlow();
      if (await blow.strike(flux)) blows.set(blow.name, (blows.get(blow.name) ?? 0) + 1);
      await pause(blow.weight > 3 ? CALM_MS / 2 : CALM_MS);
    }
    await Promise.all(clients);

    await until('it is ready', isReady, 60_000);
    const unfinished = `select count(*) from operations where state in ('queued', 'running')`;
    await until('nothing is stuck', async () => (await psql(catalogUri(flux), unfinished)).trim() === '0', 180_000);
    for (const project of projects) {
      const proven = await flux.flux('backup', 'create', ...project.flags, '--verify');
      expect(proven.exitCode, `${project.slug}: ${proven.stderr}`).toBe(0);
    }
    expect(await findLies(flux, projects, told)).toEqual([]);

    const kills = [...blows.values()].reduce((sum, count) => sum + count, 0);
    expect(kills).toBeGreaterThanOrEqual(SECONDS / (SECONDS < 300 ? 15 : 6));
    const after = { files: openFiles(), memory: memoryMb() };
    expect(after.files - fresh.files).toBeLessThan(40);
    expect(after.memory - fresh.memory).toBeLessThan(200);
    const total = (lists: Map<string, number[]>) => [...lists.values()].reduce((sum, { length }) => sum + length, 0);
    const done = [...told.ended].map(([what, { well, badly }]) => `${what} ${well} of ${well + badly}`).join(', ');
    return `${kills} kills (${[...blows].map(([name, count]) => `${name} ${count}`).join(', ')}); ${total(told.pushes)} pushes and ${total(told.writes)} writes acknowledged, all there; done: ${done}; ${after.files - fresh.files} more descriptors, ${Math.round(after.memory - fresh.memory)} MB more memory`;
  },
  SECONDS * 1000 + 600_000,
);
