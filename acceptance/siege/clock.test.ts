import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { backUp } from '../harness/backups.ts';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { pause } from '../harness/process.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('Clock');
const DAY_MS = 86_400_000;

let flux: Flux;
let project: TestProject;
beforeAll(async () => {
  flux = await startFlux({ env: { FLUX_VERIFY_STANDBY: 'off' } });
  project = await flux.createProject('shop', 'v2_shared');
  await flux.push(project, 'create table t (id int); insert into t values (1);');
  await backUp(flux, project, '--verify');
  await flux.push(project, 'insert into t values (2);');
  const restored = await flux.flux('backup', 'restore', '--latest', '--in-place', ...project.flags, '--yes');
  expect(restored.exitCode, restored.stderr).toBe(0);
  expect(await psql(project.uri, 'select count(*) from t')).toBe('1\n');
}, 120_000);
afterAll(() => flux?.[Symbol.asyncDispose]());

/** Starts the server with a clock that is off. */
async function startWithClock(offMs: number): Promise<void> {
  expect(await flux.stop()).toBe(0);
  const path = join(flux.folder, 'clock.mjs');
  writeFileSync(
    path,
    `const Real = Date;
     globalThis.Date = class extends Real {
       constructor(...args) { if (args.length === 0) super(Real.now() + ${offMs}); else super(...args); }
       static now() { return Real.now() + ${offMs}; }
     };`,
  );
  await flux.start({ NODE_OPTIONS: `--import ${path}` });
}

attack('The clock is 8 days ahead at one start', 'nothing expires; doctor says it', async () => {
  await startWithClock(8 * DAY_MS);
  expect((await flux.flux('doctor')).stdout).toContain('The clock of this machine has leapt ahead by 192 h.');
  // Expiry runs at the start and every ten minutes.
  await pause(8000);
  await startWithClock(0);
  expect((await flux.flux('doctor')).stdout).not.toContain('has leapt');
  return 'what a restore in place had kept for 7 days is still there (the undo below uses it)';
});

attack('The clock is 3 days back', 'backups, proofs and the undo work; the newest backup stays the newest', async () => {
  await startWithClock(-3 * DAY_MS);
  const id = await backUp(flux, project, '--verify');
  const list = await flux.flux('backup', 'list', ...project.flags);
  expect(list.stdout).toContain('Verification:             Restore-verified\n');
  expect((await flux.flux('backup', 'show', '--latest', ...project.flags)).stdout).toContain(id);
  const undone = await flux.flux('backup', 'restore', '--undo', ...project.flags, '--yes');
  expect(undone.exitCode, undone.stderr).toBe(0);
  expect(await psql(project.uri, 'select count(*) from t')).toBe('2\n');
  return 'created, verified, shown as the newest; the undo brought both rows back';
});
