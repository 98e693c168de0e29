import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backUp } from './harness/backups.ts';
import { type Flux, startFlux } from './harness/flux.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from './harness/postgres.ts';
import { WORDINGS } from './sabotage/good.ts';

let flux: Flux;
let elsewhere: ThrowAwayCluster;
beforeAll(async () => {
  [flux, elsewhere] = await Promise.all([startFlux(), startThrowAwayCluster()]);
});
afterAll(async () => {
  await elsewhere?.[Symbol.asyncDispose]();
  await flux?.[Symbol.asyncDispose]();
});

const restore = async (...args: string[]) => {
  const ended = await flux.flux('backup', 'restore', ...args, '--json');
  expect(ended.exitCode, ended.stderr).toBe(0);
  return JSON.parse(ended.stdout) as { notes: string[]; tablesCompared: number };
};

describe.each(['v1_dedicated', 'v2_shared'] as const)('definitions that Postgres words differently after a restore, on %s', (mode) => {
  const slug = mode === 'v1_dedicated' ? 'worded' : 'worded-tenant';

  it('are no difference, wherever the backup goes', async () => {
    const project = await flux.createProject(slug, mode);
    await flux.push(project, WORDINGS);
    // Fails unless the verification says Restorable.
    await backUp(flux, project, '--verify');

    const none = expect.objectContaining({ notes: [], tablesCompared: expect.any(Number) });
    expect(await restore(...project.flags, '--latest', '--into', `${slug}-copy`)).toEqual(none);
    expect(await restore(...project.flags, '--latest', '--in-place', '--yes')).toEqual(none);
    if (mode === 'v1_dedicated') {
      await psql(elsewhere.uri('postgres'), 'create database worded');
      const to = ['--to', elsewhere.uri('worded'), '--prerequisites'];
      expect(await restore(...project.flags, '--latest', ...to)).toEqual(none);
    } else {
      const migrated = await flux.flux('migrate', ...project.flags, '--to', 'v1_dedicated', '--yes', '--json');
      expect(migrated.exitCode, migrated.stderr).toBe(0);
      expect(JSON.parse(migrated.stdout)).toMatchObject({ result: { notes: [] } });
    }
    const uri = (await flux.flux('project', 'credentials', slug, '--hash', project.hash, '--field', 'postgres.url')).stdout.trim();
    expect((await psql(uri, 'select count(*) from spring')).trim()).toBe('91');
  });
});

describe('a table that was put into an extension', () => {
  it('is in no archive, so that the backup is never Restorable, and the way out is told', async () => {
    const project = await flux.createProject('lost-outbox', 'v1_dedicated');
    await flux.push(
      project,
      `create extension hstore; create table outbox as select g as id, 'message ' || g as body from generate_series(1, 500) g;
       create table kept as select 1 as id; alter extension hstore add table outbox;`,
    );

    const made = await flux.flux('backup', 'create', ...project.flags, '--verify');

    expect(made.exitCode).toBe(7);
    expect(made.stdout + made.stderr).toContain('public.outbox is missing (500 rows; the table belongs to the extension hstore');
    expect(made.stdout + made.stderr).toContain('ALTER EXTENSION "hstore" DROP TABLE public.outbox');
    expect((await flux.flux('nuke', project.slug, '--hash', project.hash, '--yes')).exitCode).toBe(6);

    await psql(project.uri, 'alter extension hstore drop table outbox');
    const again = await flux.flux('backup', 'create', ...project.flags, '--verify');
    expect(again.exitCode, again.stderr).toBe(0);
  });
});
