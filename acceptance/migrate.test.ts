import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backUp, manifestOf } from './harness/backups.ts';
import { EVERYTHING } from './harness/comeback.ts';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';
import { psql, readRows } from './harness/postgres.ts';
import { pause } from './harness/process.ts';
import { catalogUri, superuserUri } from './harness/superuser.ts';

let flux: Flux;
beforeAll(async () => {
  flux = await startFlux();
});
afterAll(() => flux?.[Symbol.asyncDispose]());

const shared = (sql: string) => psql(superuserUri(flux, 'shared', 'flux_shared'), sql);
const migrate = (project: TestProject, ...more: string[]) => flux.flux('migrate', ...project.flags, '--to', 'v1_dedicated', ...more);
const describeProject = async ({ hash }: TestProject) =>
  (await (await flux.api(`/projects/${hash}`)).json()) as { mode: string; apiSchema: string };
const uriOf = async ({ slug, hash }: TestProject) =>
  (await flux.flux('project', 'credentials', slug, '--hash', hash, '--field', 'postgres.url')).stdout.trim();
const instancesOf = async ({ hash }: TestProject) => {
  const id = (await psql(catalogUri(flux), `select replace(id::text, '-', '') from projects where hash = '${hash}'`)).trim();
  const list = await flux.shell(`ls ${flux.dataFolder}/instances`);
  return list.stdout.split('\n').filter((name) => name === `p-${id.slice(0, 12)}`);
};

async function pooled(slug: string): Promise<TestProject & { schema: string }> {
  const project = await flux.createProject(slug, 'v2_shared');
  const { apiSchema } = await describeProject(project);
  return { ...project, schema: apiSchema };
}

/** Writes one row after the other, as fast as the server lets it; keeps the numbers that were acknowledged. */
async function startWriter(uri: string) {
  const client = new Client({ connectionString: uri });
  client.on('error', () => undefined);
  await client.connect();
  const acknowledged: number[] = [];
  let ended: string | undefined;
  const running = (async () => {
    for (let n = 1; ; n += 1) {
      await client.query('insert into written (n) values ($1)', [n]);
      acknowledged.push(n);
      await pause(2);
    }
  })().catch((error: Error) => {
    ended = error.message;
  });
  return { acknowledged, ended: () => ended, stop: () => client.end().then(() => running) };
}

describe('a pooled project', () => {
  let project: TestProject & { schema: string };
  let rows: Map<string, string>;

  beforeAll(async () => {
    project = await pooled('to-move');
    await flux.push(project, EVERYTHING);
    await flux.shell(`mkdir -p migrations && echo 'create table written (n int primary key);' > migrations/001_written.sql`);
    expect((await flux.flux('push', 'migrations', ...project.flags)).exitCode).toBe(0);
    rows = await readRows(project.uri, project.schema);
  });

  it('is looked at without a change', async () => {
    const looked = await migrate(project, '--dry-run');
    expect(looked.stdout).toMatch(/Migration of to-move \(\w{7}\) from v2_shared to v1_dedicated\nSize: 3 tables, about /);
    expect(looked.stdout).toContain('✓ Nothing prevents the migration.');
    expect(looked.exitCode).toBe(0);
    expect(await instancesOf(project)).toEqual([]);
    expect((await flux.flux('backup', 'list', ...project.flags)).stdout).toContain('No backup yet');
  });

  it('is not moved while something is in the way, and is told what', async () => {
    const other = await pooled('neighbour');
    await flux.push(
      other,
      `create table lent (id int primary key); grant usage on schema ${other.schema} to public; grant all on lent to public`,
    );
    await flux.push(project, `create table leaning (id int references ${other.schema}.lent)`);
    const looked = await migrate(project, '--dry-run');
    expect(looked.stdout).toMatch(/✗ references out of the schema: .*lent/);
    expect(looked.exitCode).toBe(1);
    const refused = await migrate(project, '--yes');
    expect(refused.stderr).toMatch(/to-move cannot move as it is: .*lent.* Nothing was changed\./);
    expect(refused.exitCode).toBe(1);
    const dropping = await migrate(other, '--dry-run', '--drop-source-after');
    expect(dropping.stdout).toMatch(/✗ used by other projects: .*leaning/);
    await flux.push(project, 'drop table leaning');
    expect((await describeProject(project)).mode).toBe('v2_shared');
  });

  it('is not moved while it has something of the same name as what it uses of public', async () => {
    await shared(`create type public.state as enum ('open'); grant usage on type public.state to public`);
    await flux.push(project, `create table stated (s public.state); create type state as enum ('shut')`);
    const looked = await migrate(project, '--dry-run');
    expect(looked.stdout).toMatch(/✗ same names: type \w+\.state and type public\.state would be in the schema public together/);
    expect(looked.exitCode).toBe(1);
    await backUp(flux, project);
    const copied = await flux.flux('backup', 'restore', ...project.flags, '--latest', '--into', 'both', '--mode', 'v1_dedicated');
    expect(copied.stderr).toMatch(
      /is called public in a database of its own, and these would be in it twice: type \w+\.state and type public\.state/,
    );
    await flux.push(project, 'drop type state');
    const again = await migrate(project, '--dry-run');
    expect(again.stdout).toContain('shared objects: type public.state are created again in the new server.');
    expect(again.exitCode).toBe(0);
    await flux.push(project, 'drop table stated');
  });

  it('is asked for by name, and only to where it can go', async () => {
    expect((await migrate(project, '--confirm', 'another')).exitCode).toBe(2);
    expect((await flux.fluxWith({}, 'migrate', ...project.flags, '--to', 'v1_dedicated', '--no-input')).exitCode).toBe(2);
    const back = await flux.flux('migrate', ...project.flags, '--to', 'v2_shared', '--yes');
    expect(back.stderr).toContain('cannot become one schema of a pooled cluster');
    expect((await migrate(project, '--staged', '--dump-only', '--yes')).exitCode).toBe(2);
    expect((await describeProject(project)).mode).toBe('v2_shared');
  });

  it('is only dumped and proven', async () => {
    const dumped = await migrate(project, '--dump-only', '--yes');
    expect(dumped.stdout).toContain('is backed up and verified; it stays in the pool');
    expect(dumped.exitCode).toBe(0);
    expect((await flux.flux('backup', 'list', ...project.flags)).stdout).toContain('Restore-verified');
    expect(await instancesOf(project)).toEqual([]);
  });

  it('gets a copy for inspection, which is removed again', async () => {
    const staged = await migrate(project, '--staged', '--yes', '--json');
    expect(staged.exitCode).toBe(0);
    const { result } = JSON.parse(staged.stdout) as { result: { staged: { host: string; port: number; database: string; user: string } } };
    const { host, port, database, user } = result.staged;
    const { password } = new URL(project.uri);
    expect(await readRows(`postgresql://${user}:${password}@${host}:${port}/${database}`, 'public')).toEqual(rows);
    expect(await instancesOf(project)).toHaveLength(1);
    expect((await flux.flux('doctor', project.slug, '--hash', project.hash)).stdout).toContain('A dedicated copy waits for inspection');
    await psql(project.uri, 'insert into written values (-1); delete from written');
    const discarded = await migrate(project, '--discard-staged', '--yes');
    expect(discarded.stdout).toContain('The dedicated copy of to-move');
    expect(await instancesOf(project)).toEqual([]);
    expect((await describeProject(project)).mode).toBe('v2_shared');
  });

  it('moves with every row that was acknowledged, rights, policies and the ledger', async () => {
    const before = await manifestOf(flux, project, await backUp(flux, project));
    const ledger = (await flux.flux('migrations', 'list', ...project.flags, '--json')).stdout;
    const writer = await startWriter(project.uri);
    const reader = startReader(project.uri);
    await pause(100);

    const moved = await migrate(project, '--yes');

    expect(moved.stderr).not.toContain('Error');
    expect(moved.stdout).toContain(`✓ to-move (${project.hash}) now runs on its own Postgres server\n`);
    expect(moved.stdout).toMatch(/Writes blocked for: +[\d,]+ ms\nOutage: +[\d,]+ ms\nPooled schema: +kept, closed\n/);
    expect(moved.exitCode).toBe(0);
    await writer.stop();
    await reader.stop();
    expect(writer.ended()).toMatch(/terminat/);
    // Reading went on while writes waited.
    expect(reader.longestMs()).toBeLessThan(1500);
    expect(await describeProject(project)).toMatchObject({ mode: 'v1_dedicated', apiSchema: 'public' });
    const uri = await uriOf(project);
    const written = (await psql(uri, 'select n from written order by n')).trim().split('\n').map(Number);
    expect(written.filter((n) => n > 0)).toEqual(writer.acknowledged);
    expect(new Map([...(await readRows(uri, 'public'))].filter(([name]) => name !== 'written'))).toEqual(
      new Map([...rows].filter(([name]) => name !== 'written')),
    );
    expect((await flux.flux('migrations', 'list', ...project.flags, '--json')).stdout).toBe(ledger);
    // Everything that the tenant had is there under the names that a dedicated project has.
    const after = await manifestOf(flux, project, await backUp(flux, project, '--verify'));
    const renamed = JSON.stringify(before.objects)
      .replaceAll(project.schema, 'public')
      .replaceAll(project.schema.replace(/_api$/, '_ddl'), new URL(uri).username);
    const there = new Set(after.objects.map((object) => JSON.stringify(object)));
    expect((JSON.parse(renamed) as object[]).filter((object) => !there.has(JSON.stringify(object)))).toEqual([]);
    expect(before.objects.filter(({ kind }) => kind === 'policy').length).toBeGreaterThan(1);
  });

  it('is closed in the pool, and kept there', async () => {
    await expect(psql(project.uri, 'select 1')).rejects.toThrow(/not permitted to log in/);
    expect(await shared(`select count(*) from ${project.schema}.orders`)).toBe('5000\n');
    await flux.push(project, 'create table on_its_own (id int)');
    const again = await migrate(project, '--yes');
    expect(again.stdout).toContain('Nothing was left to do');
    expect(again.exitCode).toBe(0);
  });

  it('loses what it had in the pool only behind a proof of its new engine', async () => {
    const proven = await flux.flux('backup', 'list', ...project.flags, '--json');
    expect(proven.stdout).toContain('restore_verified');
    await backUp(flux, project);
    const refused = await migrate(project, '--drop-source-after', '--yes');
    expect(refused.exitCode).toBe(6);
    expect(await shared(`select count(*) from ${project.schema}.orders`)).toBe('5000\n');
    expect((await flux.flux('backup', 'verify', ...project.flags, '--latest')).exitCode).toBe(0);
    const dropped = await migrate(project, '--drop-source-after', '--yes');
    expect(dropped.stdout).toContain('The pooled schema of to-move (');
    expect(dropped.exitCode).toBe(0);
    const prefix = project.schema.replace(/_api$/, '');
    expect(await shared(`select count(*) from pg_namespace where nspname like '${prefix}%'`)).toBe('0\n');
    expect(await shared(`select count(*) from pg_roles where rolname like '${prefix}%'`)).toBe('0\n');
    expect(await psql(await uriOf(project), 'select count(*) from orders')).toBe('5000\n');
  });
});

/** Reads all the time, each time on a new connection to wherever the project is. */
function startReader(uri: string) {
  let longest = 0;
  let isStopped = false;
  const running = (async () => {
    const client = new Client({ connectionString: uri });
    client.on('error', () => undefined);
    await client.connect();
    while (!isStopped) {
      const began = performance.now();
      await client.query('select count(*) from customers');
      longest = Math.max(longest, performance.now() - began);
      await pause(5);
    }
    await client.end();
  })().catch(() => undefined);
  return {
    longestMs: () => longest,
    stop: () => {
      isStopped = true;
      return running;
    },
  };
}

describe('a migration that does not come to its end', () => {
  it('leaves the project writable where it was', async () => {
    const project = await pooled('stays');
    await flux.push(project, 'create table kept (id int); insert into kept values (1)');
    const blocker = new Client({ connectionString: project.uri });
    await blocker.connect();
    await blocker.query('begin');
    await blocker.query('insert into kept values (2)');
    const refused = await migrate(project, '--yes');
    expect(refused.stderr).toMatch(/Writes could not be blocked within 10 s: 1 sessions .* in a transaction/);
    expect(refused.exitCode).toBe(1);
    await blocker.query('commit');
    await blocker.end();
    expect(await psql(project.uri, 'insert into kept values (3); select count(*) from kept')).toBe('3\n');
    expect(await instancesOf(project)).toEqual([]);
  }, 60_000);

  it('is removed with everything when the project is nuked', async () => {
    const project = await pooled('gone');
    await flux.push(project, 'create table kept (id int); insert into kept values (1)');
    expect((await migrate(project, '--staged', '--yes')).exitCode).toBe(0);
    expect((await flux.flux('nuke', project.slug, '--hash', project.hash, '--yes')).exitCode).toBe(0);
    expect(await instancesOf(project)).toEqual([]);
    expect(await shared(`select count(*) from pg_namespace where nspname = '${project.schema}'`)).toBe('0\n');
  });
});

it('moves and drops what it leaves in one go, behind the gate', async () => {
  const project = await pooled('at-once');
  await flux.push(project, 'create table kept (id int); insert into kept values (1)');
  const refused = await migrate(project, '--drop-source-after', '--yes');
  expect(refused.exitCode).toBe(6);
  expect(await instancesOf(project)).toEqual([]);
  await backUp(flux, project, '--verify');
  const moved = await migrate(project, '--drop-source-after', '--yes');
  expect(moved.stdout).toMatch(/Pooled schema: +removed\n/);
  expect(moved.exitCode).toBe(0);
  expect(await psql(await uriOf(project), 'select * from kept')).toBe('1\n');
  expect(await shared(`select count(*) from pg_roles where rolname like '${project.schema.replace(/_api$/, '')}%'`)).toBe('0\n');
});
