import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Flux, processesOf, startFlux } from './harness/flux.ts';
import { psql } from './harness/postgres.ts';
import { postmasterPid } from './harness/postmaster.ts';
import { until } from './harness/process.ts';

/** The postmaster of each instance, by the name of the instance. */
function postmasters(flux: Flux): Map<string, number> {
  const folder = join(flux.dataFolder, 'instances');
  return new Map(readdirSync(folder).map((id) => [id, postmasterPid(join(folder, id, 'data'))]));
}

it('starts what dies again, says so, and finds everything again after a stop', async () => {
  await using flux = await startFlux();
  const shop = await flux.createProject('shop', 'v1_dedicated');
  const pooled = await flux.createProject('pooled', 'v2_shared');
  await flux.push(shop, 'create table t (id int); insert into t values (1), (2);');
  await flux.push(pooled, 'create table t (id int); insert into t values (1), (2), (3);');
  const before = postmasters(flux);
  const [id = ''] = [...before.keys()].filter((name) => name.startsWith('p-'));
  expect((await flux.flux('list')).stdout).toMatch(/^shop +[0-9a-f]{7} +running +.* v1_dedicated /m);

  process.kill(before.get(id) ?? -1, 'SIGKILL');
  await until('the instance is back', async () =>
    /^shop +[0-9a-f]{7} +running \(1 restart, last .+\)/m.test((await flux.flux('list')).stdout),
  );
  expect(postmasters(flux).get(id)).not.toBe(before.get(id));
  expect(await psql(shop.uri, 'select count(*) from t')).toBe('2\n');
  expect((await flux.flux('backup', 'create', ...shop.flags, '--verify')).exitCode).toBe(0);

  process.kill(before.get('shared') ?? -1, 'SIGKILL');
  await until('the shared cluster is back', async () => /^pooled +[0-9a-f]{7} +running /m.test((await flux.flux('list')).stdout));
  await until('a tenant can log in again', () =>
    psql(pooled.uri, 'select 1').then(
      () => true,
      () => false,
    ),
  );
  expect((await flux.flux('backup', 'create', ...pooled.flags, '--verify')).exitCode).toBe(0);

  const pids = [...postmasters(flux).values()];
  expect(await flux.stop()).toBe(0);
  expect(processesOf(flux.folder)).toEqual([]);
  for (const pid of pids) expect(existsSync(`/proc/${pid}`)).toBe(false);
  expect(existsSync(join(flux.dataFolder, 'run'))).toBe(false);

  await flux.start();
  // Same port, same credentials, same rows; the restart by supervision is remembered, the orderly one is not counted.
  expect(await psql(shop.uri, 'select count(*) from t')).toBe('2\n');
  expect(await psql(pooled.uri, 'select count(*) from t')).toBe('3\n');
  expect((await flux.flux('project', 'credentials', 'shop', '--hash', shop.hash, '--field', 'postgres.url')).stdout.trim()).toBe(shop.uri);
  expect((await flux.flux('list')).stdout).toMatch(/^shop +[0-9a-f]{7} +running \(1 restart, /m);
  const listed = await flux.flux('backup', 'list', ...shop.flags);
  expect(listed.stdout).toContain('Verification:             Restore-verified\n');

  // A stop that the user asked for outlasts the control plane.
  expect((await flux.flux('project', 'stop', 'shop', '--hash', shop.hash)).exitCode).toBe(0);
  await flux.stop();
  await flux.start();
  expect((await flux.flux('list')).stdout).toMatch(/^shop +[0-9a-f]{7} +stopped/m);
  expect((await flux.flux('project', 'start', 'shop', '--hash', shop.hash)).exitCode).toBe(0);
  expect(await psql(shop.uri, 'select count(*) from t')).toBe('2\n');
});
