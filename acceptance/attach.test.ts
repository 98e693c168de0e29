import { expect, it } from 'vitest';
import { startFlux } from './harness/flux.ts';
import { psql, startThrowAwayCluster } from './harness/postgres.ts';
import { until } from './harness/process.ts';

/** Everything that exists in a database and its cluster, as text. */
const inventory = `
  select 'role', rolname::text, '' from pg_roles
  union all select 'database', datname::text, '' from pg_database
  union all select 'schema', nspname::text, nspowner::regrole::text from pg_namespace where nspname !~ '^pg_(temp|toast_temp)'
  union all select 'relation', oid::regclass::text, relkind::text from pg_class where relnamespace::regnamespace::text !~ '^pg_(temp|toast_temp)'
  union all select 'function', oid::regprocedure::text, '' from pg_proc where oid > 16383
  union all select 'extension', extname::text, extversion from pg_extension
  order by 1, 2, 3`;

it('backs up a database of the user and proves it, and makes nothing in it', async () => {
  await using elsewhere = await startThrowAwayCluster();
  await psql(elsewhere.uri('postgres'), 'create database legacy');
  const uri = elsewhere.uri('legacy');
  await psql(
    uri,
    `create role app; create schema sales; create table sales.orders (id int primary key, note text);
    insert into sales.orders select i, 'order ' || i from generate_series(1, 500) i;
    create view sales.recent as select * from sales.orders where id > 490; grant select on sales.orders to app;`,
  );
  const before = await psql(uri, inventory);
  await using flux = await startFlux();

  const created = await flux.fluxWith({ env: { FLUX_ATTACH_URI: uri } }, 'create', 'legacy-shop', '--attach');
  expect(created.stderr).not.toContain('Warning');
  expect(created.stdout).toMatch(/^Slug: +legacy-shop\nHash: +[0-9a-f]{7}\nMode: +v1_dedicated\nStatus: +running$/m);
  expect(created.exitCode).toBe(0);
  const [{ hash }] = JSON.parse((await flux.flux('list', '--json')).stdout) as [{ hash: string }];
  const flags = ['--project', 'legacy-shop', '--hash', hash];
  expect((await flux.flux('list')).stdout).toMatch(/^legacy-shop +[0-9a-f]{7} +running +.* v1_dedicated, attached /m);

  const verified = await flux.flux('backup', 'create', ...flags, '--verify');
  expect(verified.stdout).toContain('✓ Restorable\nRestored and compared: 1 table, 500 rows; nothing differs from what was dumped.\n');
  expect(verified.exitCode).toBe(0);
  expect(await psql(uri, inventory)).toBe(before);
  expect((await flux.flux('project', 'credentials', 'legacy-shop', '--hash', hash, '--field', 'postgres.url')).stdout.trim()).toBe(uri);

  const stopped = await flux.flux('project', 'stop', 'legacy-shop', '--hash', hash);
  expect(stopped.stderr).toContain('legacy-shop is attached: Flux does not run its server and cannot start or stop it.');
  expect(stopped.exitCode).toBe(2);
  // When it does not answer, only it is not well.
  await elsewhere[Symbol.asyncDispose]();
  // A list may be some seconds old.
  await until('the list says so', async () => /^legacy-shop +[0-9a-f]{7} +partial /m.test((await flux.flux('list')).stdout), 10_000);
  const failed = await flux.flux('backup', 'create', ...flags);
  expect(failed.exitCode).toBe(1);
  expect(failed.stderr).toMatch(/^Error: /m);
  expect(failed.stderr + flux.log()).not.toContain(new URL(uri).password);
  const listed = await flux.flux('backup', 'list', ...flags);
  expect(listed.stdout).toContain('Verification:             Restore-verified\n');
});
