import { afterAll, beforeAll, expect } from 'vitest';
import { backUp } from '../harness/backups.ts';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { catalogUri } from '../harness/superuser.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('Receipts');

let flux: Flux;
beforeAll(async () => {
  flux = await startFlux();
});
afterAll(() => flux?.[Symbol.asyncDispose]());

const catalog = (sql: string) => psql(catalogUri(flux), sql);
async function withReceipts(slug: string, count: number): Promise<TestProject> {
  const project = await flux.createProject(slug, 'v2_shared');
  await flux.push(project, 'create table t (id int); insert into t values (1);');
  await backUp(flux, project, '--verify');
  for (let i = 1; i < count; i++) await verify(project);
  expect((await doctor(project)).stdout).not.toContain('eceipt');
  return project;
}
const verify = async (project: TestProject) => {
  const verified = await flux.flux('backup', 'verify', '--latest', ...project.flags);
  expect(verified.exitCode, verified.stderr).toBe(0);
};
const doctor = (project: TestProject) => flux.flux('doctor', ...project.flags);
const whereOf = ({ hash }: TestProject, seq: number) => `seq = ${seq} and project_id = (select id from projects where hash = '${hash}')`;

attack('The row of a receipt in the middle is deleted', 'doctor names the gap', async () => {
  const project = await withReceipts('gap', 3);
  await catalog(`delete from receipts where ${whereOf(project, 2)}`);
  const said = await doctor(project);
  expect(said.stdout).toContain('Receipt 2 is missing.');
  expect((await flux.flux('doctor')).stdout).toContain('Receipt 2 is missing.');
  return 'Receipt 2 is missing.';
});

attack('The newest receipt is deleted, and its number is given again', 'doctor names the two receipts of one number', async () => {
  const project = await withReceipts('fork', 2);
  await catalog(`delete from receipts where ${whereOf(project, 2)}`);
  expect((await doctor(project)).stdout).toContain('The catalog ends with receipt 1; the backup store has a copy of receipt 2.');
  await verify(project);
  const said = await doctor(project);
  expect(said.stdout).toContain('There are two different receipts 2');
  return 'There are two different receipts 2: that of the catalog, and the copy in the backup store.';
});

attack('The statement of a receipt is changed', 'doctor says which one', async () => {
  const project = await withReceipts('changed', 1);
  await catalog(`update receipts set envelope = jsonb_set(envelope, '{payload}', '"e30="') where ${whereOf(project, 1)}`);
  expect((await doctor(project)).stdout).toContain('Receipt 1 has been changed.');
  return 'Receipt 1 has been changed.';
});
