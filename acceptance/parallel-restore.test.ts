import { join } from 'node:path';
import { expect, it } from 'vitest';
import { backUp } from './harness/backups.ts';
import { startFlux } from './harness/flux.ts';
import { psql } from './harness/postgres.ts';

/**
 * Two materialized views that lock the same two tables, in different orders: filled by one job after the other they are fine, filled by two
 * jobs at once they wait for each other, until Postgres ends one of them. Nothing in an archive says so.
 */
const WAITING_FOR_EACH_OTHER = `
  create table bulk as select string_agg(md5(i::text || k), '') as body from generate_series(1, 20000) i, generate_series(1, 100) k group by i;
  create table one (id int); create table two (id int);
  create function locks(variadic names text[]) returns int language plpgsql as $$
    begin
      for i in 1 .. 2 loop
        execute 'lock table public.' || names[i] || ' in share row exclusive mode';
        perform pg_sleep(0.4);
      end loop;
      return 1;
    end $$;
  create materialized view forwards as select public.locks('one', 'two') as done;
  create materialized view backwards as select public.locks('two', 'one') as done;`;

it('a backup that pg_restore cannot restore with several jobs, only with one, is Restorable', { timeout: 120_000 }, async () => {
  await using flux = await startFlux();
  const project = await flux.createProject('waiting', 'v1_dedicated');
  await flux.push(project, WAITING_FOR_EACH_OTHER);
  expect(Number(await psql(project.uri, 'select pg_database_size(current_database())'))).toBeGreaterThan(64 * 2 ** 20);

  // Fails unless the verification says Restorable.
  await backUp(flux, project, '--verify');
  expect(flux.log()).toContain('pg_restore failed with several jobs');

  const file = join(flux.folder, 'waiting.dump');
  expect((await flux.flux('backup', 'download', ...project.flags, '--latest', '-o', file)).exitCode).toBe(0);
  const imported = await flux.flux('backup', 'import', file, ...project.flags);
  expect(imported.exitCode, imported.stderr).toBe(0);
});
