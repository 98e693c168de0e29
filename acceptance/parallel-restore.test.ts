import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backUp } from './harness/backups.ts';
import { type Flux, startFlux } from './harness/flux.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from './harness/postgres.ts';

/**
 * Two materialized views that lock the same two tables, in different orders: filled by one job after the other they are fine, filled by two
 * jobs at once they wait for each other, until Postgres ends one of them. Nothing in an archive says so.
 */
const WAITING_FOR_EACH_OTHER = `
  create table bulk as select string_agg(md5(i::text || k), '') as body from generate_series(1, 20000) i, generate_series(1, 100) k group by i;
  create table one (id int); create table two (id int);
  create function locks(variadic names text[]) returns int language plpgsql as $$
    declare home text := (select pronamespace::regnamespace::text from pg_proc where proname = 'locks');
    begin
      for i in 1 .. 2 loop
        execute format('lock table %s.%s in share row exclusive mode', home, names[i]);
        perform pg_sleep(0.4);
      end loop;
      return 1;
    end $$;
  create materialized view forwards as select locks('one', 'two') as done;
  create materialized view backwards as select locks('two', 'one') as done;`;

/** A view that no verification can fill, so that pg_restore goes on after its errors. */
const readsAnotherServer = ({ hostname, port, username, password }: URL) => `
  create table kept as select 1 as id;
  create extension postgres_fdw;
  create server self foreign data wrapper postgres_fdw options (host '${hostname}', port '${port}', dbname 'waiting');
  create user mapping for current_user server self options (user '${username}', password '${password}');
  create foreign table distant (id int) server self options (table_name 'kept');
  create materialized view from_distant as select id from distant;`;

let flux: Flux;
let elsewhere: ThrowAwayCluster;
beforeAll(async () => {
  [flux, elsewhere] = await Promise.all([startFlux(), startThrowAwayCluster()]);
});
afterAll(async () => {
  await flux?.[Symbol.asyncDispose]();
  await elsewhere?.[Symbol.asyncDispose]();
});

const timesRepeated = () => flux.log().split('restoring again with one job').length - 1;

describe('what pg_restore restores with one job, and not with several, is Restorable', () => {
  it('of a dedicated project, and as a file that is imported', async () => {
    const project = await flux.createProject('waiting', 'v1_dedicated');
    await flux.push(project, WAITING_FOR_EACH_OTHER);
    expect(Number(await psql(project.uri, 'select pg_database_size(current_database())'))).toBeGreaterThan(64 * 2 ** 20);
    const before = timesRepeated();

    // Fails unless the verification says Restorable.
    await backUp(flux, project, '--verify');

    expect(timesRepeated()).toBe(before + 1);
    const file = join(flux.folder, 'waiting.dump');
    expect((await flux.flux('backup', 'download', ...project.flags, '--latest', '-o', file)).exitCode).toBe(0);
    const imported = await flux.flux('backup', 'import', file, ...project.flags);
    expect(imported.exitCode, imported.stderr).toBe(0);
  });

  it('of a pooled project, which migrates', async () => {
    const project = await flux.createProject('waiting-tenant', 'v2_shared');
    await flux.push(project, WAITING_FOR_EACH_OTHER);
    const before = timesRepeated();
    await backUp(flux, project, '--verify');
    expect(timesRepeated()).toBe(before + 1);
    const migrated = await flux.flux('migrate', ...project.flags, '--to', 'v1_dedicated', '--yes');
    expect(migrated.exitCode, migrated.stderr).toBe(0);
  });

  it('of an attached database, beside a view that cannot be filled', async () => {
    await psql(elsewhere.uri('postgres'), 'create database waiting');
    const uri = elsewhere.uri('waiting');
    await psql(uri, `${WAITING_FOR_EACH_OTHER} ${readsAnotherServer(new URL(uri))}`);
    await flux.fluxWith({ env: { FLUX_ATTACH_URI: uri } }, 'create', 'waiting-elsewhere', '--attach');
    const before = timesRepeated();
    const made = await flux.flux('backup', 'create', '--project', 'waiting-elsewhere', '--verify');
    expect(made.exitCode, made.stdout + made.stderr).toBe(0);
    expect(made.stdout).toContain('its query reads tables of another server, which could not be reached');
    expect(timesRepeated()).toBe(before + 1);
  });
});

it('what fails with one job, too, is not', async () => {
  const project = await flux.createProject('never', 'v1_dedicated');
  await flux.push(
    project,
    `${WAITING_FOR_EACH_OTHER}
     create function once() returns int language plpgsql as $$
       begin
         if current_database() = 'flux_restore' then raise exception 'never again'; end if;
         return 1;
       end $$;
     create materialized view fragile as select once() as done;`,
  );
  const made = await flux.flux('backup', 'create', ...project.flags, '--verify');
  expect(made.exitCode).toBe(7);
  expect(made.stdout + made.stderr).toContain('never again');
});
