import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { backUp } from '../harness/backups.ts';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { pause, until } from '../harness/process.ts';
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

attack('A token has expired, and the clock goes 3 days back', 'it stays expired, also over two starts; doctor says why', async () => {
  await startWithClock(0);
  const soon = new Date(Date.now() + 3000).toISOString();
  const created = await flux.flux('token', 'create', 'short', '--access', 'read', '--expires', soon, '--json');
  expect(created.exitCode, created.stderr).toBe(0);
  const { token } = JSON.parse(created.stdout) as { token: string };
  const list = () => flux.fluxWith({ env: { FLUX_API_TOKEN: token } }, 'list');
  expect((await list()).exitCode).toBe(0);
  const written = () => readFileSync(join(flux.dataFolder, 'last-seen-time'), 'utf8');
  await until('the token has expired', async () => (await list()).exitCode === 5, 10_000);
  // The time is written down each minute, and at a start.
  await startWithClock(0);
  await until('that time is written down', () => written() > soon, 10_000);
  for (let start = 0; start < 2; start++) {
    await startWithClock(-3 * DAY_MS);
    const refused = await list();
    expect(refused.exitCode).toBe(5);
    expect(refused.stderr).toContain('The token "short" expired at');
    await until('the earlier time is written down', () => written() < soon, 10_000);
  }
  expect((await flux.flux('doctor')).stdout).toMatch(/clock: The clock of this machine is 72 h behind .* Tokens expire by that time/);
  await startWithClock(0);
  expect((await flux.flux('doctor')).stdout).not.toContain('behind a time');
  return 'refused after both starts';
});

attack('A restore in place runs while the clock is 30 days back', 'the undo data is kept for 7 days from the latest time on', async () => {
  const other = await flux.createProject('other', 'v2_shared');
  await flux.push(other, 'create table t (id int); insert into t values (1);');
  await backUp(flux, other, '--verify');
  await flux.push(other, 'insert into t values (2);');
  await startWithClock(-30 * DAY_MS);
  const restored = await flux.flux('backup', 'restore', '--latest', '--in-place', ...other.flags, '--yes');
  expect(restored.exitCode, restored.stderr).toBe(0);
  await startWithClock(0);
  // Expiry runs at the start and every ten minutes.
  await pause(8000);
  const undone = await flux.flux('backup', 'restore', '--undo', ...other.flags, '--yes');
  expect(undone.exitCode, undone.stderr).toBe(0);
  expect(await psql(other.uri, 'select count(*) from t')).toBe('2\n');
  return 'still there once the clock was right; the undo brought both rows back';
});
