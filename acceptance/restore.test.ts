import { closeSync, openSync, readdirSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { artifactOf, backUp, manifestOf } from './harness/backups.ts';
import { EVERYTHING } from './harness/comeback.ts';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';
import { psql, readRows, startThrowAwayCluster, type ThrowAwayCluster } from './harness/postgres.ts';
import { databaseOf, instanceOf, superuserUri } from './harness/superuser.ts';

let flux: Flux;
let elsewhere: ThrowAwayCluster;
beforeAll(async () => {
  [flux, elsewhere] = await Promise.all([startFlux(), startThrowAwayCluster()]);
});
afterAll(async () => {
  await elsewhere?.[Symbol.asyncDispose]();
  await flux?.[Symbol.asyncDispose]();
});

const grantsOf = { v1_dedicated: 'grant select on orders to authenticated;', v2_shared: '' };

async function credentialsOf(slug: string, hash: string): Promise<string> {
  return (await flux.flux('project', 'credentials', slug, '--hash', hash, '--field', 'postgres.url')).stdout.trim();
}

const schemaOf = async (project: TestProject): Promise<string> =>
  ((await (await flux.api(`/projects/${project.hash}`)).json()) as { apiSchema: string }).apiSchema;

describe.each([
  { mode: 'v1_dedicated' as const, slug: 'come-back' },
  { mode: 'v2_shared' as const, slug: 'come-back-tenant' },
])('a project on $mode', ({ mode, slug }) => {
  let project: TestProject;
  let id: string;
  let rows: Map<string, string>;

  beforeAll(async () => {
    project = await flux.createProject(slug, mode);
    await flux.push(project, EVERYTHING + grantsOf[mode]);
    id = await backUp(flux, project, '--verify');
    rows = await readRows(project.uri, await schemaOf(project));
  });

  it('comes back as itself after it was nuked', async () => {
    const before = await manifestOf(flux, project, id);
    expect((await flux.flux('nuke', slug, '--hash', project.hash, '--yes')).exitCode).toBe(0);

    const restored = await flux.flux('backup', 'restore', '--hash', project.hash, '--latest', '--into', slug);

    expect(restored.stderr).not.toContain('Error');
    expect(restored.stdout).toContain(`✓ ${slug} (${project.hash}) is back\n`);
    expect(restored.exitCode).toBe(0);
    expect(await credentialsOf(slug, project.hash)).toMatch(project.uri.replace(/:\d+\/.*$/, ''));
    const after = await manifestOf(flux, project, await backUp(flux, project, '--verify'));
    expect(after).toEqual(before);
    expect(await readRows(await credentialsOf(slug, project.hash), await schemaOf(project))).toEqual(rows);
  });

  it('is copied into a new project that works by itself', async () => {
    const restored = await flux.flux('backup', 'restore', ...project.flags, '--id', id, '--into', `${slug}-copy`, '--json');

    expect(restored.stderr).not.toContain('Error');
    const answer = JSON.parse(restored.stdout) as { project: { hash: string }; notes: string[] };
    const copy = {
      ...project,
      slug: `${slug}-copy`,
      hash: answer.project.hash,
      uri: await credentialsOf(`${slug}-copy`, answer.project.hash),
    };
    expect(await readRows(copy.uri, await schemaOf(copy))).toEqual(rows);
    const flags = ['--project', copy.slug, '--hash', copy.hash];
    expect((await flux.flux('backup', 'create', ...flags, '--verify')).exitCode).toBe(0);
    await flux.push({ ...copy, flags: ['--project', copy.slug, '--hash', copy.hash] }, 'create table more (id int)');
    await psql(copy.uri, `set search_path = ${await schemaOf(copy)}; insert into customers (name) values ('new')`);
    // The first project is what it was.
    expect(await readRows(await credentialsOf(slug, project.hash), await schemaOf(project))).toEqual(rows);
  });

  it('goes into an empty database elsewhere, whole or not at all', async () => {
    const database = slug.replaceAll('-', '_');
    await psql(elsewhere.uri('postgres'), `create database ${database}`);
    const uri = elsewhere.uri(database);
    const named = [...project.flags, '--id', id] as const;

    const refused = await flux.flux('backup', 'restore', ...named, '--to', uri);
    expect(refused.stderr).toMatch(/was not restored and is as it was: .*does not exist/);
    expect(refused.exitCode).toBe(1);
    expect(await psql(uri, `select count(*) from pg_class where relnamespace >= 16384`)).toBe('0\n');

    const restored = await flux.fluxWith({ input: `${uri}\n` }, 'backup', 'restore', ...named, '--to', '-', '--prerequisites');
    expect(restored.stdout).toMatch(/Compared: +\d+ tables, [\d,]+ rows; nothing differs from what was dumped\n/);
    expect(restored.exitCode).toBe(0);
    expect(await readRows(uri, await schemaOf(project))).toEqual(rows);

    const again = await flux.flux('backup', 'restore', ...named, '--to', uri);
    expect(again.stderr).toMatch(/is not empty: it contains \d+ objects\. Nothing was changed\./);
    expect(again.exitCode).toBe(1);
    const forced = await flux.flux('backup', 'restore', ...named, '--to', uri, '--force');
    expect(forced.stderr).toContain('already exists');
    expect(forced.exitCode).toBe(1);
    expect(await readRows(uri, await schemaOf(project))).toEqual(rows);
    expect(flux.log()).not.toContain(new URL(uri).password);
  });

  it('is restored in place, and back again', async () => {
    const now = async () => readRows(await credentialsOf(slug, project.hash), await schemaOf(project));
    await flux.push(project, `delete from orders; create table later (id int); insert into later values (1)`);
    const changed = await now();
    expect(changed).not.toEqual(rows);
    const unproven = await backUp(flux, project);
    const refused = await flux.flux('backup', 'restore', ...project.flags, '--id', id, '--in-place', '--yes');
    expect(refused.exitCode).toBe(6);
    expect(refused.stderr).toContain('has not been restore-verified');
    expect(await now()).toEqual(changed);
    expect((await flux.flux('backup', 'verify', ...project.flags, '--id', unproven)).exitCode).toBe(0);
    const unconfirmed = await flux.flux('backup', 'restore', ...project.flags, '--id', id, '--in-place', '--confirm', 'another');
    expect(unconfirmed.exitCode).toBe(2);

    const restored = await flux.flux('backup', 'restore', ...project.flags, '--id', id, '--in-place', '--yes');
    expect(restored.stderr).not.toContain('Error');
    // The newest backup is that of the data that was just replaced; nobody who restores the latest one means it.
    expect((await flux.flux('backup', 'list', ...project.flags)).stdout).toMatch(/\n\nID.*\n.*\(safety backup\)\n/);
    const latest = await flux.flux('backup', 'restore', ...project.flags, '--latest', '--table', 'orders', '--json');
    const { backupId, tables } = JSON.parse(latest.stdout) as { backupId: string; tables: { as: string }[] };
    expect(backupId).toBe(unproven);
    // On v2 it belongs to the role that pushes, and is in no backup.
    if (mode === 'v1_dedicated') await psql(await credentialsOf(slug, project.hash), `drop schema ${tables[0]?.as.split('.')[0]} cascade`);
    expect(restored.stdout).toContain(`✓ ${slug} (${project.hash}) now has the data of the backup\n`);
    expect(restored.stdout).toMatch(
      /Outage: +\d+ ms\nReplaced: +kept as \S+_before_\d{14} until \S+Z · in 6 days\nSafety backup: +[0-9a-f-]{36}\n/,
    );
    expect(restored.exitCode).toBe(0);
    expect(await now()).toEqual(rows);
    const after = await manifestOf(flux, project, await backUp(flux, project, '--verify'));
    expect(after).toEqual(await manifestOf(flux, project, id));

    const undone = await flux.flux('backup', 'restore', ...project.flags, '--undo', '--yes');
    expect(undone.stdout).toContain('has the data again that the restore or reset had replaced');
    expect(await now()).toEqual(changed);
    expect((await flux.flux('backup', 'restore', ...project.flags, '--undo', '--yes')).exitCode).toBe(0);
    expect(await now()).toEqual(rows);
    await flux.push(project, `insert into customers (name) values ('after all')`);
  });

  it('stays what it is when the artifact is damaged', async () => {
    const latest = await backUp(flux, project, '--verify');
    const before = await manifestOf(flux, project, latest);
    const path = await artifactOf(flux, project, latest);
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.from('damage'), 0, 6, Math.floor(statSync(path).size / 2));
    closeSync(file);
    // What the damage means for trust is told at once; the rest of the list stays.
    const listed = async () =>
      (JSON.parse((await flux.flux('list', '--json')).stdout) as Record<string, unknown>[]).map(({ tier, label, ...rest }) => rest);
    const listedBefore = await listed();
    await psql(elsewhere.uri('postgres'), `create database damaged_${slug.replaceAll('-', '_')}`);
    const uri = elsewhere.uri(`damaged_${slug.replaceAll('-', '_')}`);

    for (const goal of [
      ['--into', `${slug}-more`],
      ['--to', uri],
      ['--in-place', '--yes', '--skip-backup-check', '--skip-present-backup'],
    ]) {
      const refused = await flux.flux('backup', 'restore', ...project.flags, '--id', latest, ...goal);
      expect(refused.stderr).toMatch(/cannot be restored: .*its bytes have changed\. Nothing was changed\./);
      expect(refused.exitCode).toBe(1);
    }

    expect(await listed()).toEqual(listedBefore);
    expect(await psql(uri, `select count(*) from pg_class where relnamespace >= 16384`)).toBe('0\n');
    expect(await manifestOf(flux, project, await backUp(flux, project))).toEqual(before);
  });
});

it.each(['v1_dedicated', 'v2_shared'] as const)('restores what is left of a damaged backup on %s in an emergency', async (mode) => {
  const slug = `damaged-${mode.slice(0, 2)}`;
  const project = await flux.createProject(slug, mode);
  await flux.push(
    project,
    `create table a_kept (id int primary key, t text unique); insert into a_kept select i, md5(i::text) from generate_series(1, 500) i;
     create table big (id int primary key, t text); insert into big select i, (select string_agg(md5((i * j)::text), '') from generate_series(1, 40) j) from generate_series(1, 400) i;
     create table z_kept (id int primary key, big_id int references big); insert into z_kept select i, i from generate_series(1, 300) i;
     create view v as select count(*) from a_kept; create index on big (t)`,
  );
  const id = await backUp(flux, project, '--verify');
  const path = await artifactOf(flux, project, id);
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.from('damage'), 0, 6, Math.floor(statSync(path).size / 2));
  closeSync(file);
  const question = (schema: string) =>
    `set search_path = ${schema}; select count(*), sum(id), count(distinct t) from a_kept; select count(*) from big; select count(*), sum(big_id) from z_kept; table v;
     select count(*) from pg_index i join pg_class c on c.oid = indrelid where relname in ('a_kept', 'big', 'z_kept') and relnamespace = '${schema}'::regnamespace`;
  const left = '500|125250|500\n0\n300|45150\n500\n5\n';

  const refused = await flux.flux('backup', 'restore', ...project.flags, '--id', id, '--into', `${slug}-copy`);
  expect(refused.stderr).toContain('--accept-unproven');
  for (const goal of ['--in-place', '--table=a_kept'])
    expect((await flux.flux('backup', 'restore', ...project.flags, '--id', id, '--accept-unproven', '--yes', goal)).exitCode).toBe(2);
  const emergency = ['backup', 'restore', ...project.flags, '--id', id, '--accept-unproven', '--yes'];
  const into = await flux.flux(...emergency, '--into', `${slug}-copy`, '--json');
  expect(into.stderr).toMatch(/Not everything came back as it was dumped: .*\bbig\b/s);
  expect(into.exitCode).toBe(0);
  const answer = JSON.parse(into.stdout) as { project: { hash: string; mode: string }; lost: { kind: string; name: string }[] };
  expect(answer.project.mode).toBe('v1_dedicated');
  // A reference to rows that are lost cannot be enforced any more.
  expect(answer.lost.map(({ kind, name }) => `${kind} ${name.replace(/^\w+\./, '')}`).sort()).toEqual(
    expect.arrayContaining([expect.stringMatching(/^rows big/), expect.stringMatching(/^constraint .*z_kept_big_id_fkey/)]),
  );
  expect(answer.lost.map(({ name }) => name).join()).not.toContain('a_kept');
  expect(await psql(await credentialsOf(`${slug}-copy`, answer.project.hash), question('public'))).toBe(left);

  const database = slug.replace('-', '_');
  await psql(elsewhere.uri('postgres'), `create database ${database}`);
  const to = await flux.flux(...emergency, '--prerequisites', '--to', elsewhere.uri(database));
  expect(to.stderr).toMatch(/Not everything came back as it was dumped: .*\bbig\b/s);
  expect(to.stdout).toContain('! Restored into the database');
  expect(await psql(elsewhere.uri(database), question(await schemaOf(project)))).toBe(left);
  // Not into one that has something in it.
  const again = await flux.flux(...emergency, '--to', elsewhere.uri(database));
  expect(again.stderr).toContain('is not empty');
  expect((await flux.flux('audit', '--json')).stdout).toMatch(/acceptUnproven/);
});

it('moves a tenant into a project of its own, with what it may and who owns it', async () => {
  const tenant = await flux.createProject('moves-out', 'v2_shared');
  await flux.push(tenant, EVERYTHING);
  const file = `${flux.folder}/001_more.sql`;
  writeFileSync(file, 'create table pushed (id int);');
  expect((await flux.flux('push', file, '--mode', 'versioned', ...tenant.flags)).exitCode).toBe(0);
  await backUp(flux, tenant);
  const rows = await readRows(tenant.uri, await schemaOf(tenant));

  const restored = await flux.flux(
    'backup',
    'restore',
    ...tenant.flags,
    '--latest',
    '--into',
    'own-home',
    '--mode',
    'v1_dedicated',
    '--json',
  );

  expect(restored.stderr).not.toContain('Error');
  const { hash } = (JSON.parse(restored.stdout) as { project: { hash: string } }).project;
  const uri = await credentialsOf('own-home', hash);
  expect(await readRows(uri, 'public')).toEqual(rows);
  expect(await psql(uri, `select distinct tableowner from pg_tables where schemaname = 'public'`)).toBe('own_home_owner\n');
  const migrations = JSON.parse((await flux.flux('migrations', 'list', '-p', 'own-home', '--hash', hash, '--json')).stdout) as object;
  expect(JSON.stringify(migrations)).toContain('001_more.sql');
  expect((await flux.flux('backup', 'create', '-p', 'own-home', '--hash', hash, '--verify')).exitCode).toBe(0);
  expect(await readRows(tenant.uri, await schemaOf(tenant))).toEqual(rows);
});

it('undoes everything when a restore fails half-way, also for a project that was removed', async () => {
  const project = await flux.createProject('needs-more', 'v1_dedicated');
  await flux.push(project, EVERYTHING);
  // Only a superuser can make a leakproof function, and no superuser runs what an owner wrote; here an index needs it.
  const id = projectIdIn(await artifactOf(flux, project, await backUp(flux, project)));
  await psql(
    superuserUri(flux, instanceOf(id, 'v1_dedicated'), databaseOf(project)),
    `create function quiet(text) returns text immutable leakproof language sql as $$ select $1 $$;
     create table needs (v text); create index on needs (quiet(v))`,
  );
  await backUp(flux, project, '--verify');
  const count = () => readdirSync(join(flux.dataFolder, 'instances')).length;
  const before = count();

  const copied = await flux.flux('backup', 'restore', ...project.flags, '--latest', '--into', 'half-way');
  expect(copied.stderr).toMatch(/could not be restored: .*only superuser can define a leakproof function/);
  expect(copied.exitCode).toBe(1);
  expect((await flux.flux('list')).stdout).not.toContain('half-way');
  expect(count()).toBe(before);

  expect((await flux.flux('nuke', project.slug, '--hash', project.hash, '--yes')).exitCode).toBe(0);
  const revived = await flux.flux('backup', 'restore', '--hash', project.hash, '--latest', '--into', project.slug);
  expect(revived.exitCode).toBe(1);
  expect((await flux.flux('list', '--removed')).stdout).toContain(project.hash);
  expect(count()).toBe(before - 1);
  // What cannot come back into a project still goes elsewhere.
  await psql(elsewhere.uri('postgres'), 'create database needs_more');
  const uri = elsewhere.uri('needs_more');
  expect((await flux.flux('backup', 'restore', '--hash', project.hash, '--latest', '--to', uri, '--prerequisites')).exitCode).toBe(0);
});

/** The layout is `<projectId>/<backupId>.dump`. */
function projectIdIn(path: string): string {
  return basename(dirname(path));
}
