import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { IMPORTED_NOTE } from '@flux/contract/labels';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { artifactOf, backUp } from './harness/backups.ts';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';
import { findClient, psql, readRows, startThrowAwayCluster, type ThrowAwayCluster } from './harness/postgres.ts';
import { runWell } from './harness/process.ts';

let flux: Flux;
let source: ThrowAwayCluster;
let project: TestProject;

beforeAll(async () => {
  source = await startThrowAwayCluster();
  await psql(source.uri('postgres'), 'create database shop');
  await psql(source.uri('shop'), SHOP);
  flux = await startFlux();
  project = await flux.createProject('bloom', 'v1_dedicated');
  await dump('-Fc', 'shop.dump');
});
afterAll(async () => {
  await flux?.[Symbol.asyncDispose]();
  await source?.[Symbol.asyncDispose]();
});

const SHOP = `
  create role clerk; create role reader; create role "Odd ""Name"; create role seer;
  create extension citext; create extension pg_trgm;
  create schema sales;
  create table words (id int primary key, word text); insert into words values (1, 'one'), (2, 'two');
  create table customers (id int generated always as identity primary key, name citext not null unique);
  create table sales.orders (id int primary key, customer int not null references customers, total numeric(10, 2), at timestamptz) partition by range (id);
  create table sales.orders_low partition of sales.orders for values from (0) to (50);
  create table sales.orders_high partition of sales.orders for values from (50) to (1000);
  insert into customers (name) select 'customer ' || i from generate_series(1, 20) i;
  insert into sales.orders select i, 1 + i % 20, i * 1.5, '2026-01-01'::timestamptz + i * interval '1 hour' from generate_series(1, 100) i;
  create materialized view sales.per_customer as select customer, sum(total) from sales.orders group by customer;
  create index on customers using gin (name gin_trgm_ops);
  create function sales.double(n int) returns int language sql as 'select 2 * n';
  create sequence sales.numbers start 7; select nextval('sales.numbers');
  alter table customers enable row level security;
  create policy seen on customers to seer using (true);
  alter table sales.orders owner to clerk;
  grant usage on schema sales to reader, "Odd ""Name";
  grant select on sales.orders to reader with grant option;
  alter default privileges for role clerk in schema sales grant select on tables to "Odd ""Name";
  comment on database shop is 'the shop';
  select lo_from_bytea(0, 'a large object');
`;

const here = (name: string) => join(flux.folder, name);
const dump = async (format: string, name: string, database = 'shop') =>
  runWell(join(findClient(), 'pg_dump'), [format, '-f', here(name), '-d', source.uri(database)]);
const importFile = (name: string, ...args: string[]) => flux.flux('backup', 'import', name, ...args);

interface Imported {
  readonly backup: { readonly id: string; readonly origin: string; readonly tier: string; readonly note: string; readonly tables: number };
}
async function imported(name: string, into: TestProject = project): Promise<Imported['backup']> {
  const made = await importFile(name, ...into.flags, '--json');
  if (made.exitCode !== 0) throw new Error(made.stderr);
  return (JSON.parse(made.stdout) as Imported).backup;
}

describe('flux backup import', () => {
  let id: string;

  it('makes a backup of an archive, and verifies it against what the archive itself holds', async () => {
    const made = await importFile('shop.dump', ...project.flags, '--verify');
    expect(made.stderr).not.toContain('Error');
    expect(made.stdout).toContain(IMPORTED_NOTE);
    expect(made.stdout).toMatch(/Note: +from shop\.dump: database shop of PostgreSQL \d+\.\d+, dumped by pg_dump/);
    expect(made.stdout).toContain('they come back only with `pg_restore --create` by hand');
    expect(made.stdout).toContain('✓ Restorable\nRestored and compared: ');
    expect(made.exitCode).toBe(0);
    id = /Id: +(\S+)/.exec(made.stdout)?.[1] ?? '';

    const shown = await flux.flux('backup', 'show', ...project.flags, '--id', id);
    expect(shown.stdout.split(IMPORTED_NOTE)).toHaveLength(3);
    const receipt = await flux.flux('backup', 'receipt', ...project.flags, '--id', id);
    writeFileSync(here('receipt.json'), receipt.stdout);
    const keys = await flux.flux('receipt', 'keys');
    writeFileSync(here('keys.pem'), keys.stdout);
    const checked = await flux.flux('receipt', 'check', 'receipt.json', '--artifact', 'shop.dump', '--key', 'keys.pem');
    expect(checked.stdout).toMatch(/Compared with: +what the imported archive itself holds, not with a source/);
    expect(checked.exitCode).toBe(0);
  });

  it('is no way back for the data of the project, and never the latest', async () => {
    const listed = await flux.flux('backup', 'list', ...project.flags);
    expect(listed.stdout).toMatch(/^Latest backup: +none\n/);
    expect(listed.stdout).toMatch(new RegExp(`${id}.*Restorable \\(imported\\)`));
    const nuke = await flux.flux('nuke', project.slug, '--hash', project.hash, '--yes');
    expect(nuke.stderr).toContain('There is no backup.');
    expect(nuke.exitCode).toBe(6);
    for (const args of [['restore', '--into', 'never'], ['verify'], ['download', '-o', 'never']]) {
      const [verb = '', ...more] = args;
      const latest = await flux.flux('backup', verb, ...project.flags, '--latest', ...more, ...(verb === 'restore' ? ['--yes'] : []));
      expect(latest.stderr).toContain('bloom has no backup yet, only imported files, which are named with --id.');
      expect(latest.exitCode).toBe(4);
    }
    const own = await backUp(flux, project);
    const again = await imported('shop.dump');
    expect(again).toMatchObject({ origin: 'imported', tier: 'not_restore_verified' });
    // The newest is that of the project, and unproven, whatever was imported after it.
    expect((await flux.flux('project', 'reset', ...project.flags, '--yes')).stderr).toContain(own);
    expect((await flux.flux('backup', 'delete', ...project.flags, '--id', again.id, '--yes')).exitCode).toBe(0);
    expect((await flux.flux('backup', 'delete', ...project.flags, '--id', own, '--yes')).exitCode).toBe(6);
    expect((await flux.flux('backup', 'verify', ...project.flags, '--latest')).stdout).toContain(own);
  });

  it('comes back into a new project, into a database, in place, as a table and as the same file', async () => {
    const shop = await Promise.all(['public', 'sales'].map((schema) => readRows(source.uri('shop'), schema)));
    const expectShop = async (uri: string) =>
      expect(await Promise.all(['public', 'sales'].map((schema) => readRows(uri, schema)))).toEqual(shop);
    const restore = (...args: string[]) => flux.flux('backup', 'restore', ...project.flags, '--id', id, ...args, '--yes');

    const into = await restore('--into', 'shop');
    expect(into.stderr + into.stdout).toContain(IMPORTED_NOTE);
    expect(into.exitCode).toBe(0);
    const { hash } = JSON.parse((await flux.flux('project', 'show', 'shop', '--json')).stdout).project as { hash: string };
    const uri = (await flux.flux('project', 'credentials', 'shop', '--hash', hash, '--field', 'postgres.url')).stdout.trim();
    await expectShop(uri);
    expect(await psql(uri, "select nextval('sales.numbers'), (select count(*) from sales.per_customer)")).toBe('8|20\n');

    await psql(source.uri('postgres'), 'create database empty_one');
    const to = await restore('--to', source.uri('empty_one'));
    expect(to.stderr + to.stdout).toContain(IMPORTED_NOTE);
    expect(to.exitCode).toBe(0);
    await expectShop(source.uri('empty_one'));

    await flux.push(project, 'create table mine (id int)');
    expect((await restore('--in-place')).exitCode).toBe(0);
    await expectShop(project.uri);
    expect((await flux.flux('backup', 'restore', ...project.flags, '--undo', '--yes')).exitCode).toBe(0);
    expect(await psql(project.uri, "select to_regclass('mine'), to_regclass('customers')")).toBe('mine|\n');
    const table = await flux.flux('backup', 'restore', ...project.flags, '--id', id, '--table', 'words');
    expect(table.stdout + table.stderr).toContain('restored_');
    expect(table.exitCode).toBe(0);

    expect((await flux.flux('backup', 'download', ...project.flags, '--id', id, '-o', 'again.dump')).exitCode).toBe(0);
    expect(readFileSync(here('again.dump'))).toEqual(readFileSync(here('shop.dump')));
  });

  it('is to be imported again when its file is damaged', async () => {
    const { id: damaged } = await imported('shop.dump');
    const path = await artifactOf(flux, project, damaged);
    const bytes = readFileSync(path);
    bytes[bytes.length - 10] = (bytes[bytes.length - 10] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const verified = await flux.flux('backup', 'verify', ...project.flags, '--id', damaged);
    expect(verified.stdout + verified.stderr).toContain(`Import the file again from where it came from:`);
    expect(verified.stdout + verified.stderr).toContain(`flux backup import <file> ${project.flags.join(' ')} --verify`);
    expect(verified.stdout + verified.stderr).not.toContain('flux backup create');
    expect(verified.exitCode).toBe(7);
  });

  it('takes what Flux itself has dumped, and an attached project takes archives too', async () => {
    const own = JSON.parse((await flux.flux('backup', 'create', ...project.flags, '--json')).stdout) as Imported;
    expect((await flux.flux('backup', 'download', ...project.flags, '--id', own.backup.id, '-o', 'own.dump')).exitCode).toBe(0);
    const attachedTo = await flux.fluxWith({ env: { FLUX_ATTACH_URI: source.uri('shop') } }, 'create', 'legacy', '--attach', '--json');
    const { hash } = (JSON.parse(attachedTo.stdout) as { summary: { hash: string } }).summary;
    const legacy: TestProject = { slug: 'legacy', hash, uri: source.uri('shop'), flags: ['--project', 'legacy', '--hash', hash] };
    const { id: there } = await imported('own.dump', legacy);
    expect((await flux.flux('backup', 'verify', ...legacy.flags, '--id', there)).stdout).toContain(IMPORTED_NOTE);
    const into = await flux.flux('backup', 'restore', ...legacy.flags, '--id', there, '--into', 'bloom-again', '--yes');
    expect(into.exitCode).toBe(0);
  });
});

describe('a file that is not what it should be', () => {
  const refused = async (name: string, what: RegExp, hint: string) => {
    const made = await importFile(name, ...project.flags);
    expect(made.stderr).toMatch(what);
    expect(made.stderr).toContain(hint);
    expect(made.exitCode).toBe(1);
  };
  /** Past the look of the command line, as another client would send it. */
  const send = async (bytes: Buffer | string, { hash = project.hash, sha256 = '', type = 'application/octet-stream', key = '' } = {}) => {
    const digest = sha256 || createHash('sha256').update(bytes).digest('hex');
    const answer = await fetch(`${flux.url}/api/v1/projects/${hash}/backups/import?sha256=${digest}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${flux.token()}`,
        'content-type': type,
        ...(key === '' ? {} : { 'idempotency-key': key }),
      },
      body: bytes,
    });
    return { status: answer.status, body: (await answer.json()) as { id?: string; error?: string } };
  };

  it('is refused in words, with what to do instead, by the command line and by the control plane', async () => {
    const archive = readFileSync(here('shop.dump'));
    await dump('-Fp', 'plain.sql');
    await dump('-Ft', 'shop.tar');
    await dump('-Fd', 'shop.dir');
    writeFileSync(here('shop.dump.gz'), gzipSync(archive));
    writeFileSync(here('empty.dump'), '');
    writeFileSync(here('random.dump'), Buffer.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]));
    writeFileSync(here('newer.dump'), Buffer.concat([archive.subarray(0, 6), Buffer.from([17]), archive.subarray(7)]));
    mkdirSync(here('not-a-dump'));
    await refused('plain.sql', /is text, such as a plain dump/, '-f plain.sql`, then `flux backup create');
    await refused('shop.tar', /is a tar file/, 'pg_restore -d scratch shop.tar && pg_dump -Fc');
    await refused('shop.dir', /is a folder/, 'pg_restore -d scratch shop.dir && pg_dump -Fc');
    await refused('shop.dump.gz', /is compressed with gzip/, 'gunzip');
    await refused('empty.dump', /is empty/, 'pg_dump -Fc -f empty.dump');
    await refused('random.dump', /is not an archive/, 'pg_dump -Fc');
    await refused('newer.dump', /has version 1\.17 of the archive format, which a pg_dump newer than 18 has written/, 'Update Flux');
    await refused('absent.dump', /there is no such file/, 'Check the path');
    const pushed = await flux.flux('push', 'shop.dump', ...project.flags);
    expect(pushed.stderr).toContain('flux backup import');

    expect(await send(readFileSync(here('plain.sql')))).toMatchObject({ status: 400, body: { error: expect.stringContaining('is text') } });
    expect(await send('')).toMatchObject({ status: 400, body: { error: expect.stringContaining('is empty') } });
    expect(await send('{"dryRun":true}', { type: 'application/json' })).toMatchObject({ status: 400 });
    expect(await send(archive, { sha256: '0'.repeat(64) })).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining('that arrived') },
    });
  });

  it('fails, and is not kept, when the archive is damaged or does not restore', async () => {
    const archive = readFileSync(here('shop.dump'));
    // The version of pg_dump is the last of the texts of the header that begins with a number.
    const header = archive.subarray(0, 400).toString('latin1');
    const at = ([...header.matchAll(/\0\d\d\.\d+/g)].at(-1)?.index ?? 0) + 1;
    writeFileSync(here('future.dump'), Buffer.concat([archive.subarray(0, at), Buffer.from('29'), archive.subarray(at + 2)]));
    await refused('future.dump', /PostgreSQL 29|major version 29/, 'postgresql-29');
    writeFileSync(here('short.dump'), archive.subarray(0, archive.length - 100));
    await refused('short.dump', /The file is not a whole archive\. The archive is damaged at byte \d+/, 'Copy it again');
    await psql(source.uri('postgres'), 'create database odd');
    await psql(
      source.uri('odd'),
      `create function fits(int) returns boolean language sql immutable as 'select true';
       create table t (id int check (fits(id))); insert into t values (1);
       create or replace function fits(int) returns boolean language sql immutable as 'select false';`,
    );
    await dump('-Fc', 'odd.dump', 'odd');
    await refused(
      'odd.dump',
      /does not restore, so it is no backup: pg_restore ended with status 1.*violates check constraint/s,
      'dump it again',
    );
    const { backups } = JSON.parse((await flux.flux('backup', 'list', ...project.flags, '--all', '--json')).stdout) as {
      backups: { status: string; origin: string; id: string; localArtifactStatus: string }[];
    };
    const failed = backups.filter(({ status }) => status === 'failed');
    expect(failed).toHaveLength(3);
    expect(failed.every(({ origin, localArtifactStatus }) => origin === 'imported' && localArtifactStatus === 'missing')).toBe(true);
    const files = await flux.shell(`find ${join(flux.dataFolder, 'backups')} -type f -name '*.dump'`);
    for (const { id } of failed) expect(files.stdout).not.toContain(id);
  });

  it('cannot be imported into one schema of the pool', async () => {
    const tenant = await flux.createProject('tenant', 'v2_shared');
    const made = await importFile('shop.dump', ...tenant.flags);
    expect(made.stderr).toContain('tenant is one schema of a pooled cluster');
    expect(made.stderr).toContain('flux create <name> --mode v1_dedicated');
    expect(made.exitCode).toBe(2);
  });

  it('is imported once when a request is repeated with its key, and twice by two commands', async () => {
    const archive = readFileSync(here('shop.dump'));
    const started = await send(archive, { key: 'the same' });
    expect(started.status).toBe(202);
    expect((await send(archive, { key: 'the same' })).body.id).toBe(started.body.id);
    expect((await send('another', { key: 'the same' })).status).toBe(400);
    await flux.flux('operation', 'watch', String(started.body.id));
    copyFileSync(here('shop.dump'), here('copy.dump'));
    const [first, second] = [await imported('shop.dump'), await imported('copy.dump')];
    expect(first.id).not.toBe(second.id);
    expect(second.note).toContain('from copy.dump');
  });
});
