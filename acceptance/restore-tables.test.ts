import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backUp } from './harness/backups.ts';
import { EVERYTHING } from './harness/comeback.ts';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';
import { psql } from './harness/postgres.ts';

let flux: Flux;
beforeAll(async () => {
  flux = await startFlux();
});
afterAll(() => flux?.[Symbol.asyncDispose]());

describe.each(['v1_dedicated', 'v2_shared'] as const)('single tables of a project on %s', (mode) => {
  let project: TestProject;
  let id: string;
  const restore = (...args: string[]) => flux.flux('backup', 'restore', ...project.flags, '--id', id, ...args);

  beforeAll(async () => {
    project = await flux.createProject(`tables-${mode.slice(0, 2)}`, mode);
    await flux.push(project, `${EVERYTHING} create table "Odd Name" (a int); insert into "Odd Name" values (1), (2);`);
    id = await backUp(flux, project);
  });

  it('come back beside the live ones, which stay what they are', async () => {
    await flux.push(project, `delete from orders where id > 10; update customers set name = 'changed'`);

    const restored = await restore('--table', 'orders', 'customers', 'Odd Name', '--json');

    expect(restored.stderr).not.toContain('Error');
    expect(restored.exitCode).toBe(0);
    const { tables, rowsCompared, notes } = JSON.parse(restored.stdout) as {
      tables: { table: string; as: string }[];
      rowsCompared: number;
      notes: string[];
    };
    expect(rowsCompared).toBe(5302);
    expect(notes).toEqual([]);
    const [orders, customers, odd] = tables.map(({ as }) => as);
    // The owner, who pushes, sees every row and can take what it needs; a view shows what it saw.
    await flux.push(
      project,
      `insert into orders select * from ${orders} r where not exists (select from orders o where o.id = r.id);
       update customers c set name = r.name from ${customers} r where r.id = c.id;
       create table seen as select (select count(*) from orders) as orders, (select count(*) from customers where name = 'changed') as changed,
         (select count(*) from ${odd}) as odd`,
    );
    expect(await psql(project.uri, 'select * from seen')).toBe('5000|0|2\n');
    if (mode === 'v2_shared') await expect(psql(project.uri, `select * from ${orders}`)).rejects.toThrow(/permission denied/);
    await flux.push(project, `drop schema ${orders?.split('.')[0]} cascade`);
  });

  it('are named when they are not there, and go to one place', async () => {
    const unknown = await restore('--table', 'order');
    expect(unknown.stderr).toMatch(/The backup holds no table order\.[\s\S]*It holds .*customers/);
    expect(unknown.exitCode).toBe(4);
    expect((await restore('--table', 'orders', '--in-place', '--yes')).exitCode).toBe(2);
  });

  it('leave nothing when they cannot come back', async () => {
    await flux.push(project, 'alter type mood rename to temper');
    const failed = await restore('--table', 'customers');
    expect(failed.stderr).toMatch(/The tables could not be restored: .*mood/);
    expect(failed.exitCode).toBe(1);
    expect(await psql(project.uri, `select count(*) from pg_namespace where nspname like '%restored%'`)).toBe('0\n');
    await flux.push(project, 'alter type temper rename to mood');
  });
});
