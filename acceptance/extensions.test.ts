import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';
import { psql } from './harness/postgres.ts';
import { catalogUri, databaseOf, instanceOf, superuserUri } from './harness/superuser.ts';

/** What the list of the operator says here: something that only a superuser may create, and something trusted. */
const ALLOWED = 'earthdistance, cube, citext, postgres_fdw, pg_stat_statements';

let flux: Flux;
let dedicated: TestProject;
let pooled: TestProject;
let writer: Record<string, string>;
beforeAll(async () => {
  flux = await startFlux({ env: { FLUX_EXTENSIONS_ALLOWED: ALLOWED } });
  dedicated = await flux.createProject('own', 'v1_dedicated');
  pooled = await flux.createProject('shared', 'v2_shared');
  const made = await flux.flux('token', 'create', 'writer', '--access', 'write', '--json');
  writer = { FLUX_API_TOKEN: (JSON.parse(made.stdout) as { token: string }).token };
});
afterAll(() => flux?.[Symbol.asyncDispose]());

const enable = (name: string, project: TestProject, env: Record<string, string> = {}) =>
  flux.fluxWith({ env }, 'extension', 'enable', name, ...project.flags);
const listed = async (project: TestProject) => {
  const { stdout } = await flux.fluxWith({ env: writer }, 'extension', 'list', ...project.flags, '--json');
  const { extensions } = JSON.parse(stdout) as { extensions: { name: string; schema: string | null; enabledBy: string }[] };
  return new Map(extensions.map(({ name, schema, enabledBy }) => [name, schema ?? enabledBy]));
};
const superuserOf = async (project: TestProject): Promise<string> => {
  const [row] = (await psql(catalogUri(flux), `select id from projects where hash = '${project.hash}'`)).split('\n');
  return superuserUri(flux, instanceOf(String(row), 'v1_dedicated'), databaseOf(project));
};

describe('extensions', () => {
  it('are listed with who may enable them', async () => {
    const own = await listed(dedicated);
    expect([own.get('citext'), own.get('pg_trgm'), own.get('earthdistance'), own.get('file_fdw')]).toEqual([
      'write',
      'write',
      'admin',
      'nobody',
    ]);
    // What comes to everybody in the pool needs a place on the list.
    const shared = await listed(pooled);
    expect([shared.get('citext'), shared.get('pg_trgm'), shared.get('earthdistance')]).toEqual(['write', 'nobody', 'admin']);
  });

  it('that are trusted need no more than a write token; others say what an admin runs', async () => {
    for (const project of [dedicated, pooled]) {
      expect(await enable('citext', project, writer)).toMatchObject({
        exitCode: 0,
        stdout: expect.stringContaining('in the schema extensions'),
      });
      expect((await enable('citext', project, writer)).stdout).toContain('is there already');
      const refused = await enable('earthdistance', project, writer);
      expect(refused.exitCode).toBe(5);
      expect(refused.stderr).toContain(`flux extension enable earthdistance --project ${project.slug} --hash ${project.hash}`);
      expect(await enable('earthdistance', project)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('with cube') });
      const forbidden = await enable('file_fdw', project);
      expect(forbidden.exitCode).toBe(5);
      expect(forbidden.stderr).toContain('FLUX_EXTENSIONS_ALLOWED');
      expect((await enable('no_such', project)).exitCode).toBe(4);
      await flux.push(
        project,
        `select set_config('search_path', current_setting('search_path') || ', extensions', true);
         create table places (name extensions.citext primary key, at extensions.cube);
         insert into places values ('Uri', extensions.ll_to_earth(46.8, 8.6)), ('Zug', '(1,2,3)')`,
      );
    }
    const audit = await flux.flux('audit', '--json');
    expect(audit.stdout).toContain('project.extension_enable');
  });

  it('come back with what uses them', async () => {
    for (const project of [dedicated, pooled]) {
      const verified = await flux.flux('backup', 'create', ...project.flags, '--verify');
      expect(verified.stderr + verified.stdout).toContain('✓ Restorable');
      const into = await flux.flux('backup', 'restore', ...project.flags, '--latest', '--into', `${project.slug}-copy`, '--json');
      expect(into.stderr + (into.exitCode === 0 ? '' : into.stdout)).toBe('');
      const { hash } = (JSON.parse(into.stdout) as { project: { hash: string } }).project;
      const shown = await flux.flux('project', 'credentials', `${project.slug}-copy`, '--hash', hash, '--field', 'postgres.url');
      expect(
        await psql(
          shown.stdout.trim(),
          `select set_config('search_path', current_setting('search_path') || ', extensions', false) <> ''; select count(*), min(at::text) from places where name in ('URI', 'zug')`,
        ),
      ).toContain('2|(1, 2, 3)');
    }
  });

  it('run nothing that the owner of a database wrote', async () => {
    const evil = `if (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
      raise exception 'a superuser ran this'; end if;`;
    const trap = await flux.createProject('trap', 'v1_dedicated');
    await flux.push(
      trap,
      `create schema extensions; create extension cube with schema public;
      create function fires() returns event_trigger language plpgsql as $$ begin ${evil} end $$`,
    );
    await psql(await superuserOf(trap), 'create event trigger fires on ddl_command_end execute function fires()');
    // Functions beside cube in public would be found by the script of earthdistance.
    const beside = await enable('earthdistance', trap);
    expect([beside.exitCode, beside.stderr]).toEqual([1, expect.stringContaining('which is installed in public')]);
    const made = await enable('postgres_fdw', trap);
    expect(made.stdout + made.stderr).toContain('in the schema extensions_postgres_fdw');
    await flux.push(trap, 'create schema extensions_pg_stat_statements');
    expect((await enable('pg_stat_statements', trap)).stderr).toContain('Rename the schema');
    // What is trusted is safe wherever it lies, and the trigger still fires for its owner.
    expect((await enable('hstore', trap, writer)).stdout).toContain('in the schema extensions');
    expect(await psql(trap.uri, 'select evtname, evtenabled from pg_event_trigger')).toContain('fires|O');
  });
});
