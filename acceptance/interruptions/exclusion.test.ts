import { afterAll, beforeAll, expect, it } from 'vitest';
import { backUp } from '../harness/backups.ts';
import { type Flux, startFlux, type TestProject } from '../harness/flux.ts';
import { lockTable } from '../harness/pg-lock.ts';
import { psql } from '../harness/postgres.ts';
import { until } from '../harness/process.ts';
import { catalogUri } from '../harness/superuser.ts';

/** A verification of it lasts as long as its view takes to be filled. */
const DATA = `create table readings (id int primary key, note text not null);
  insert into readings select i, md5(i::text) from generate_series(1, 2000) i;
  create materialized view slow as select 1 as one from pg_sleep(10);`;

let flux: Flux;
let projects: TestProject[];

beforeAll(async () => {
  flux = await startFlux({ env: { FLUX_VERIFY_STANDBY: 'off', FLUX_CONCURRENCY: '8' } });
  projects = await Promise.all([flux.createProject('own', 'v1_dedicated'), flux.createProject('pooled', 'v2_shared')]);
  await Promise.all(projects.map((project) => flux.push(project, DATA)));
});
afterAll(() => flux?.[Symbol.asyncDispose]());

const query = async (sql: string) => (await psql(catalogUri(flux), sql)).trim();
const running = ({ hash }: TestProject, kind: string) =>
  query(
    `select count(*) from operations join projects on projects.id = project_id where hash = '${hash}' and kind = '${kind}' and state = 'running'`,
  );
const send = (path: string, body: object = {}) =>
  flux.api(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
const push = ({ slug, hash }: TestProject, sql: string) => send('/push', { slug, hash, sql });

it('lets a project be pushed to and backed up while one of its backups is verified, and the backup be verified only once at a time', async () => {
  await Promise.all(
    projects.map(async (project) => {
      const first = await backUp(flux, project);
      const verifying = flux.flux('backup', 'verify', '--id', first, ...project.flags);
      await until('it is verified', async () => (await running(project, 'backup_verify')) === '1');

      const pushed = await push(project, 'insert into readings values (0, $$during$$)');
      expect(pushed.status, await pushed.text()).toBe(200);
      await backUp(flux, project);
      const second = await backUp(flux, project);
      const twice = await flux.flux('backup', 'verify', '--id', first, ...project.flags);
      expect(twice.exitCode).toBe(8);
      expect(twice.stderr).toMatch(/^Error: A verification of this backup is already running \(operation .*\)\.\nWait until it has ended/m);
      const deleted = await flux.flux(
        'backup',
        'delete',
        '--id',
        first,
        '--yes',
        '--skip-backup-check',
        '--reason',
        'a test',
        ...project.flags,
      );
      expect(deleted.exitCode, deleted.stderr).toBe(8);
      expect(await running(project, 'backup_verify'), 'all of that was while it was verified').toBe('1');

      // Another backup of the same project is verified at the same time.
      const other = await flux.flux('backup', 'verify', '--id', second, ...project.flags);
      expect(other.exitCode, other.stderr).toBe(0);
      expect((await verifying).exitCode).toBe(0);
    }),
  );
});

it('refuses a second write to a project as busy, whatever the two are', async () => {
  await Promise.all(
    projects.map(async (project) => {
      const last = await backUp(flux, project);
      const writes: readonly { readonly what: string; readonly args: readonly string[] }[] = [
        { what: 'a create', args: ['backup', 'create'] },
        {
          what: 'a restore in place',
          args: ['backup', 'restore', '--id', last, '--in-place', '--yes', '--skip-backup-check', '--reason', 'a test'],
        },
        { what: 'a restore of a table', args: ['backup', 'restore', '--id', last, '--table', 'readings'] },
      ];
      const named = [project.slug, '--hash', project.hash, '--yes', '--skip-backup-check', '--reason', 'a test'];
      const held = await lockTable(project.uri, 'readings');
      const creating = flux.flux('backup', 'create', ...project.flags);
      await until('a create runs', async () => (await running(project, 'backup_create')) === '1');
      for (const { what, args } of writes) {
        const refused = await flux.flux(...args, ...project.flags);
        expect(refused.exitCode, `${what}: ${refused.stderr}`).toBe(8);
        expect(refused.stderr).toMatch(/^Error: A backup of this project is already running/m);
      }
      for (const command of [['project', 'reset'], ['nuke']]) expect((await flux.flux(...command, ...named)).exitCode).toBe(8);
      const pushed = await push(project, 'select 1');
      expect(pushed.status).toBe(409);
      expect(await pushed.json()).toMatchObject({ code: 'busy', error: expect.stringContaining('already running') });
      await held.release();
      expect((await creating).exitCode).toBe(0);

      // The other way round, with the work that runs inside its request; asked for at the same moment, one of several is let through.
      const waiting = await lockTable(project.uri, 'readings');
      const pushing = push(project, 'insert into readings values (-1, $$waited$$)');
      await until('a push runs', async () => (await running(project, 'push')) === '1');
      expect((await flux.flux('backup', 'create', ...project.flags)).exitCode).toBe(8);
      await waiting.release();
      expect((await pushing).status).toBe(200);
      const answers = await Promise.all(Array.from({ length: 6 }, () => push(project, 'select pg_sleep(0.5)')));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409, 409]);
    }),
  );
});

it('has the database itself refuse two unfinished operations on one project or one backup', async () => {
  const copy = (touches: string) =>
    query(`insert into operations (id, project_id, kind, touches, backup_id, state, request, created_at)
      select gen_random_uuid(), b.project_id, 'backup_verify', '${touches}', b.id, 'queued', '{}', now()
      from (select * from backups order by id limit 1) b, generate_series(1, 2)`);
  await expect(copy('project')).rejects.toThrow('operations_one_per_project');
  await expect(copy('backup')).rejects.toThrow('operations_one_per_backup');
});
