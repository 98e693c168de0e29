import { expect } from 'vitest';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { until } from '../harness/process.ts';
import { catalogUri, databaseOf, instanceOf, superuserUri } from '../harness/superuser.ts';
import { siegeChapter } from './attack.ts';

const attack = siegeChapter('Restores that never end');

/** A view that sleeps only in the database beside the live one, so that its backup is verified in a moment. */
const SLEEPING = `
  create function slow() returns int language plpgsql as $$ begin
    if current_database() like '%\\_next' then perform pg_sleep(3600); end if; return 1; end $$;
  create materialized view heavy as select slow() as n;
  create table t as select generate_series(1, 100) as id;`;

async function verified(flux: Flux, name: string, sql: string): Promise<TestProject> {
  const project = await flux.createProject(name, 'v1_dedicated');
  await flux.push(project, sql);
  const made = await flux.flux('backup', 'create', ...project.flags, '--verify');
  expect(made.exitCode, made.stderr).toBe(0);
  return project;
}

const restore = (flux: Flux, { flags }: TestProject) =>
  flux.flux('backup', 'restore', ...flags, '--latest', '--in-place', '--skip-present-backup', '--yes');

attack(
  'Restores in place of three dedicated projects sleep for ever',
  'an honest one passes them; each ends at its time limit, rolled back, and says which setting allows more',
  async () => {
    await using flux = await startFlux({ env: { FLUX_RESTORE_TIMEOUT: '25s' } });
    const sleepers = [];
    for (const name of ['sleeps-a', 'sleeps-b', 'sleeps-c']) sleepers.push(await verified(flux, name, SLEEPING));
    const honest = await verified(flux, 'honest', 'create table t as select generate_series(1, 100) as id');
    const running = sleepers.map((project) => restore(flux, project));
    const count = async () =>
      Number(await psql(catalogUri(flux), `select count(*) from operations where kind = 'backup_restore' and state = 'running'`));
    await until('the restores run', async () => (await count()) >= 2);
    const began = performance.now();
    const passed = await restore(flux, honest);
    const honestMs = performance.now() - began;
    expect(passed.exitCode, passed.stderr).toBe(0);
    expect(honestMs).toBeLessThan(15_000);
    for (const [index, ended] of (await Promise.all(running)).entries()) {
      const project = sleepers[index] as TestProject;
      expect(ended.exitCode).toBe(1);
      const words = ended.stderr.replaceAll(/\s+/g, ' ');
      expect(words).toContain('has not ended within 25 s');
      expect(words).toContain('Nothing was changed');
      expect(words).toContain('FLUX_RESTORE_TIMEOUT');
      const id = (await psql(catalogUri(flux), `select id from projects where hash = '${project.hash}'`)).trim();
      const instance = superuserUri(flux, instanceOf(id, 'v1_dedicated'), 'postgres');
      const databases = await psql(
        instance,
        `select string_agg(datname, ',') from pg_database where datname like '${databaseOf(project)}%'`,
      );
      expect(databases.trim()).toBe(databaseOf(project));
      expect(
        (await psql(instance, `select count(*) from pg_stat_activity where query like '%REFRESH%' and pid <> pg_backend_pid()`)).trim(),
      ).toBe('0');
    }
    return `the honest one took ${(honestMs / 1000).toFixed(1)} s; the sleepers ended after 25 s, with nothing left behind`;
  },
);
