import { afterAll, beforeAll, expect, it } from 'vitest';
import { backUp } from './harness/backups.ts';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';
import { lockTable } from './harness/pg-lock.ts';
import { psql } from './harness/postgres.ts';
import { until } from './harness/process.ts';
import { catalogUri } from './harness/superuser.ts';

const DATA = `create table readings (id bigint primary key, a text not null);
  insert into readings select i, md5(i::text) || md5((i * 3)::text) from generate_series(1, 400000) i;`;
let flux: Flux;
let project: TestProject;

beforeAll(async () => {
  flux = await startFlux({ env: { FLUX_VERIFY_STANDBY: 'off' } });
  project = await flux.createProject('shop', 'v1_dedicated');
  await flux.push(project, DATA);
  await backUp(flux, project, '--verify');
});
afterAll(() => flux?.[Symbol.asyncDispose]());

const query = async (sql: string) => (await psql(catalogUri(flux), sql)).trim();
const untilRunning = (kind: string) =>
  until(`${kind} runs`, async () => (await query(`select count(*) from operations where kind = '${kind}' and state = 'running'`)) === '1');

/** Nothing waits for ever, every backup is either whole or failed with a reason, and the project does its work. */
async function expectNothingStuck(): Promise<void> {
  await until(
    'no operation is open',
    async () => (await query(`select count(*) from operations where state in ('queued', 'running')`)) === '0',
    60_000,
  );
  expect(await query(`select count(*) from backups where status in ('queued', 'running') or (status = 'failed' and failure is null)`)).toBe(
    '0',
  );
  const next = await flux.flux('backup', 'create', ...project.flags, '--verify');
  expect(next.exitCode, next.stderr).toBe(0);
  const list = await flux.flux('backup', 'list', ...project.flags);
  expect(list.stdout).toContain('Verification:             Restore-verified\n');
}

it('cancels within seconds although the notification is lost', async () => {
  await using _held = await lockTable(project.uri, 'readings');
  const create = flux.flux('backup', 'create', ...project.flags);
  await untilRunning('backup_create');

  // The row alone: nobody is notified.
  await query(`update operations set cancel_requested_at = now() where state = 'running'`);

  const ended = await create;
  expect(ended.stderr).toContain('cancelled');
  expect(await query(`select state from operations order by created_at desc limit 1`)).toBe('cancelled');
});

it('takes up a create that SIGTERM has met, and the command that follows it sees its end', async () => {
  const held = await lockTable(project.uri, 'readings');
  const followed = flux.flux('backup', 'create', ...project.flags);
  await untilRunning('backup_create');

  expect(await flux.stop()).toBe(0);
  await held.release();
  await flux.start();

  const ended = await followed;
  expect(ended.exitCode, ended.stderr).toBe(0);
  await expectNothingStuck();
});
