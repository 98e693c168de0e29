import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backUp } from './harness/backups.ts';
import { EVERYTHING } from './harness/comeback.ts';
import { type Flux, processesOf, startFlux, type TestProject } from './harness/flux.ts';
import { psql, readRows } from './harness/postgres.ts';
import { pause } from './harness/process.ts';

let flux: Flux;
beforeAll(async () => {
  flux = await startFlux();
});
afterAll(() => flux?.[Symbol.asyncDispose]());

/** Moments at which power is cut, as parts of the time that an undisturbed restore takes. */
const MOMENTS = [0.1, 0.3, 0.5, 0.65, 0.8, 0.9, 0.97];

/** Starts a command, and after some time ends the server, everything that it has started, and the command. */
async function cutPower(afterMs: number, ...args: string[]): Promise<void> {
  const running = flux.fluxWith({ onSpawn: (pid) => setTimeout(() => kill(pid), afterMs) }, ...args);
  await pause(afterMs);
  await flux.kill();
  for (const { pid } of processesOf(flux.folder)) kill(pid);
  while (processesOf(flux.folder).length > 0) await pause(20);
  await running;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself, or with its parent between the two looks.
  }
}

const SLOW_MS = 300_000;

describe.each(['v1_dedicated', 'v2_shared'] as const)('power that is cut during a restore in place on %s', (mode) => {
  let project: TestProject;
  let schema: string;
  let backedUp: Map<string, string>;
  let command: string[];
  let takesMs: number;
  const seen = { old: 0, new: 0 };

  const now = () => readRows(project.uri, schema);

  beforeAll(async () => {
    project = await flux.createProject(mode === 'v1_dedicated' ? 'cut' : 'cut-tenant', mode);
    await flux.push(project, EVERYTHING);
    schema = ((await (await flux.api(`/projects/${project.hash}`)).json()) as { apiSchema: string }).apiSchema;
    backedUp = await now();
    const id = await backUp(flux, project, '--verify');
    command = ['backup', 'restore', ...project.flags, '--id', id, '--in-place', '--yes', '--skip-present-backup'];
    const began = performance.now();
    expect((await flux.flux(...command)).exitCode).toBe(0);
    takesMs = performance.now() - began;
  }, SLOW_MS);
  afterAll(() => console.log(`${mode}: an undisturbed restore took ${Math.round(takesMs)} ms; after the cuts ${JSON.stringify(seen)}`));

  it.each(MOMENTS)(
    'leaves the old or the new, whole, and can be run again, after %s of it',
    async (moment) => {
      await psql(project.uri, `set search_path = ${schema}; insert into customers (name) values ('live')`);
      const live = await now();

      await cutPower(takesMs * moment, ...command);
      await flux.start();

      const found = await now();
      expect([live, backedUp]).toContainEqual(found);
      seen[found.get('customers') === live.get('customers') ? 'old' : 'new'] += 1;
      const again = await flux.flux(...command);
      expect(again.stderr).not.toContain('Error');
      expect(again.exitCode).toBe(0);
      expect(await now()).toEqual(backedUp);
    },
    SLOW_MS,
  );

  it(
    'leaves a backup of the present state that was not finished as failed',
    async () => {
      const withPresent = command.filter((word) => word !== '--skip-present-backup');
      await cutPower(takesMs * 0.25, ...withPresent);
      await flux.start();

      const { backups } = JSON.parse((await flux.flux('backup', 'list', ...project.flags, '--json')).stdout) as {
        backups: { status: string }[];
      };
      for (const { status } of backups) expect(['complete', 'failed']).toContain(status);
      expect((await flux.flux('backup', 'create', ...project.flags, '--verify')).exitCode).toBe(0);
    },
    SLOW_MS,
  );
});

describe.each(['v1_dedicated', 'v2_shared'] as const)('power that is cut while a removed project comes back on %s', (mode) => {
  it.each([300, 1500, 3000])(
    'leaves it removed or back after %s ms, and it comes back when asked again',
    async (afterMs) => {
      const slug = `${mode === 'v1_dedicated' ? 'lost' : 'lost-tenant'}-${afterMs}`;
      const project = await flux.createProject(slug, mode);
      await flux.push(project, EVERYTHING);
      await backUp(flux, project, '--verify');
      expect((await flux.flux('nuke', slug, '--hash', project.hash, '--yes')).exitCode).toBe(0);
      const command = ['backup', 'restore', '--hash', project.hash, '--latest', '--into', slug];

      await cutPower(afterMs, ...command);
      await flux.start();

      const isBack = (await flux.flux('list')).stdout.includes(project.hash);
      expect((await flux.flux('list', '--removed')).stdout.includes(project.hash)).toBe(!isBack);
      expect((await flux.flux(...command)).exitCode).toBe(isBack ? 1 : 0);
      expect((await flux.flux('backup', 'create', ...project.flags, '--verify')).exitCode).toBe(0);
    },
    SLOW_MS,
  );
});
