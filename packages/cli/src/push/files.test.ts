import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { asRecorded, type CollectChoices, collectSqlFiles, versionOf } from './files.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flux-files-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const collect = (target: string | undefined, choices: CollectChoices = {}) => collectSqlFiles(target, [folder], choices);
const namesOf = async (target: string) => (await collect(target)).files.map(({ filename }) => filename);
const leftOutOf = async (target: string) => (await collect(target)).leftOut.map(({ name }) => name);

async function put(...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), 'SELECT 1;\n');
  }
}

it.each([
  ['001_init.sql', '001'],
  ['20260101120000_add_users.sql', '20260101120000'],
  ['init.sql', 'init'],
  ['v2_init.SQL', 'v2_init'],
])('reads the version of %s as %s', (name, version) => {
  expect(versionOf(name)).toBe(version);
});

it('runs versioned files in their order and repeatable ones after them', async () => {
  await put('m/R__views.sql', 'm/10_late.sql', 'm/2_early.sql', 'm/notes.txt', 'm/.hidden.sql', 'm/old/1_gone.sql');

  const { files, leftOut } = await collect('m');

  expect(leftOut).toEqual([{ name: 'old/', why: 'in a subfolder' }]);

  expect(files.map(({ filename, mode, version }) => [filename, mode, version])).toEqual([
    ['2_early.sql', 'versioned', '2'],
    ['10_late.sql', 'versioned', '10'],
    ['R__views.sql', 'repeatable', 'm/R__views.sql'],
  ]);
});

it('refuses two files that claim one version', async () => {
  await put('m/1_a.sql', 'm/001_b.sql');

  await expect(collect('m')).rejects.toMatchObject({
    code: 'usage',
    message: expect.stringContaining('001_b.sql'),
  });
});

it('looks in the usual places in their order, passing folders without SQL', async () => {
  await put('migrations/readme.txt', 'schema.sql', 'sql/2.sql');
  expect((await collect(undefined)).files.map(({ path }) => path)).toEqual([join(folder, 'sql/2.sql')]);

  await put('flux/migrations/1.sql');
  expect((await collect(undefined)).files.map(({ path }) => path)).toEqual([join(folder, 'flux/migrations/1.sql')]);
});

it.each([
  ['m/001_a.sql', 'versioned', '001'],
  ['m/20260101120000_users.sql', 'versioned', '20260101120000'],
  ['m/7.sql', 'versioned', '7'],
  ['m/001-a.sql', 'versioned', '001-a'],
  ['m/R__views.sql', 'repeatable', 'm/R__views.sql'],
  ['m/V1.1__c.sql', 'versioned', 'V1.1__c'],
  ['m/2024 report.sql', 'versioned', '2024 report'],
  ['db/Migration/sub/init.sql', 'versioned', 'init'],
  ['prisma/migrations/20260101_init/migration.sql', 'versioned', '20260101'],
  ['hasura/migrations/add_users/up.sql', 'versioned', 'add_users'],
  ['m/seed.sql', 'raw', 'seed'],
  ['m/2nd.sql', 'raw', '2nd'],
  ['db/migrations/init.sql', 'versioned', 'init'],
  ['numbered/seed.sql', 'versioned', 'seed'],
])('reads %s alone as %s, like its folder', async (path, mode, version) => {
  await put(path, 'numbered/001_a.sql');

  const {
    files: [alone, ...others],
  } = await collect(path);

  expect(others).toEqual([]);
  expect(alone).toMatchObject({ mode, version });
  if (mode === 'raw') return;
  const inFolder = (await collect(join(path, '..'))).files.find((file) => file.path === alone?.path);
  expect(alone).toEqual(inFolder);
});

it('leaves the default schema.sql raw, and a mode that was named as it is', async () => {
  await put('schema.sql', '001_a.sql');
  expect((await collect(undefined)).files).toMatchObject([{ filename: 'schema.sql', mode: 'raw' }]);
  expect((await collect('001_a.sql', { mode: 'raw' })).files).toMatchObject([{ mode: 'raw' }]);
});

it('refuses to run a whole folder raw', async () => {
  await put('m/001_a.sql');
  await expect(collect('m', { mode: 'raw' })).rejects.toMatchObject({ code: 'usage' });
});

it('takes a file for a migration when the ledger knows it', async () => {
  await put('m/init.sql');
  const {
    files: [file],
  } = await collect('m/init.sql');
  if (file === undefined) throw new Error('there is no file');
  const row = { version: 'init', filename: 'init.sql', checksum: 'another' };

  expect(await asRecorded(file, [row], 'm/init.sql')).toMatchObject({ mode: 'versioned', version: 'init' });
  expect(await asRecorded(file, [{ ...row, version: 'R:init' }], 'm/init.sql')).toBe(file);
  expect(await asRecorded(file, [{ ...row, version: 'R:m/init.sql' }], 'm/init.sql')).toMatchObject({
    mode: 'repeatable',
    version: 'm/init.sql',
  });
});

it('takes a file for a migration when its folder was pushed before', async () => {
  await put('db/a.sql', 'db/b.sql', 'elsewhere/c.sql');
  const [a, b, c] = await Promise.all(['db/a.sql', 'db/b.sql', 'elsewhere/c.sql'].map(async (path) => (await collect(path)).files[0]));
  if (a === undefined || b === undefined || c === undefined) throw new Error('there are no files');
  const row = { version: 'a', filename: 'a.sql', checksum: a.checksum };

  expect(await asRecorded(b, [row], 'db/b.sql')).toMatchObject({ mode: 'versioned', version: 'b' });
  expect(await asRecorded(b, [{ ...row, checksum: 'of another folder' }], 'db/b.sql')).toBe(b);
  expect(await asRecorded(c, [row], 'elsewhere/c.sql')).toBe(c);
});

it('refuses a folder of ways down', async () => {
  await put('up/001_a.sql', 'down/001_a.sql');
  await expect(collect('down')).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('ways down') });
  await expect(collect('down/001_a.sql')).rejects.toMatchObject({ code: 'usage' });
  expect(await namesOf('up')).toEqual(['001_a.sql']);
});

it('identifies a repeatable file by its path, or as --id says', async () => {
  await put('a/fn.sql', 'b/fn.sql');
  const idIn = async (path: string, id?: string) => (await collect(path, { mode: 'repeatable', id })).files[0]?.version;
  expect([await idIn('a/fn.sql'), await idIn('b/fn.sql'), await idIn('a/fn.sql', 'fn')]).toEqual(['a/fn.sql', 'b/fn.sql', 'fn']);
  await expect(collect('a/fn.sql', { id: 'fn' })).rejects.toMatchObject({ code: 'usage' });
  await expect(collect('a', { id: 'fn', mode: 'repeatable' })).rejects.toMatchObject({ code: 'usage' });
});

it('runs only the way up of pairs', async () => {
  await put('pairs/000001_a.up.sql', 'pairs/000001_a.down.sql', 'pairs/000002_b.up.sql', 'pairs/000002_b.down.sql');
  await put('undo/001-y.do.sql', 'undo/001-y.undo.sql', 'undo/002.do.z.sql', 'undo/002.undo.z.sql');
  await put('dashed/1-a-up.sql', 'dashed/1-a-down.sql', 'yoyo/0001.foo.sql', 'yoyo/0001.foo.rollback.sql');

  expect(await namesOf('pairs')).toEqual(['000001_a.up.sql', '000002_b.up.sql']);
  expect(await leftOutOf('pairs')).toEqual(['000001_a.down.sql', '000002_b.down.sql']);
  expect(await namesOf('undo')).toEqual(['001-y.do.sql', '002.do.z.sql']);
  expect(await namesOf('dashed')).toEqual(['1-a-up.sql']);
  expect(await namesOf('yoyo')).toEqual(['0001.foo.sql']);
});

it.each(['pairs/000001_a.down.sql', 'dashed/1-a-down.sql', 'U1__undo_b.sql', '20260101_init/down.sql'])(
  'refuses %s alone, unless raw is asked for',
  async (path) => {
    await put(path, 'dashed/1-a-up.sql');
    await expect(collect(path)).rejects.toMatchObject({ code: 'usage', hint: expect.stringContaining('--mode raw') });
    expect((await collect(path, { mode: 'raw' })).files).toHaveLength(1);
  },
);

it('runs the files of Flyway in its order, never an undo or a callback', async () => {
  await put(...['V1__b', 'U1__undo_b', 'V1.1__c', 'V10__d', 'V2__e', 'R__v', 'beforeMigrate'].map((name) => `flyway/${name}.sql`));
  expect(await namesOf('flyway')).toEqual(['V1__b.sql', 'V1.1__c.sql', 'V2__e.sql', 'V10__d.sql', 'R__v.sql']);
  expect(await leftOutOf('flyway')).toEqual(['U1__undo_b.sql', 'beforeMigrate.sql']);

  await put('flyway/V1.0__again.sql');
  await expect(collect('flyway')).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('V1.0__again.sql') });
  await put('baseline/B2__state.sql', 'baseline/V1__a.sql');
  await expect(collect('baseline')).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('baseline') });
});

it('takes a folder per migration for a migration each', async () => {
  await put('prisma/20260102_more/migration.sql', 'prisma/20260101_init/migration.sql', 'prisma/migration_lock.toml');
  expect((await collect('prisma')).files.map(({ filename, version }) => [filename, version])).toEqual([
    ['20260101_init/migration.sql', '20260101'],
    ['20260102_more/migration.sql', '20260102'],
  ]);
  await put('diesel/2026-01-01-000000_a/up.sql', 'diesel/2026-01-01-000000_a/down.sql');
  expect(await namesOf('diesel')).toEqual(['2026-01-01-000000_a/up.sql']);
  expect(await leftOutOf('diesel/2026-01-01-000000_a')).toEqual(['down.sql']);
  await put('prisma/001_a.sql');
  await expect(collect('prisma')).rejects.toMatchObject({ code: 'usage' });
});

it('says which files it leaves out, and refuses what has another order', async () => {
  await put('m/001_a.sql', 'm/002_b.ts', 'm/README.md');
  expect((await collect('m')).leftOut).toEqual([{ name: '002_b.ts', why: 'not SQL' }]);
  await put('only/001_a.down.sql');
  await expect(collect('only')).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('only files that undo') });
  await put('s/sqitch.plan', 's/deploy/users.sql', 's/revert/users.sql');
  await expect(collect('s/revert')).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('Sqitch') });
});

it('reads UTF-8 and UTF-16, and says how to convert anything else', async () => {
  const put = (name: string, bytes: Buffer) => writeFile(join(folder, name), bytes);
  const text = 'create table u (t text); -- é\r\n';
  const wide = Buffer.from(text, 'utf16le');
  await put('1_bom.sql', Buffer.from(`\uFEFF${text}`));
  await put('2_le.sql', Buffer.concat([Buffer.from([0xff, 0xfe]), wide]));
  await put('3_be.sql', Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(wide).swap16()]));
  await put('4_without.sql', wide);
  const read = async (name: string) => (await collect(name)).files[0];
  expect(await read('1_bom.sql')).toMatchObject({ sql: `\uFEFF${text}`, convertedFrom: null });
  for (const name of ['2_le.sql', '3_be.sql', '4_without.sql'])
    expect(await read(name)).toMatchObject({ sql: text, convertedFrom: 'UTF-16' });

  await put('5_latin1.sql', Buffer.from("insert into lat values ('été')", 'latin1'));
  await expect(collect('5_latin1.sql')).rejects.toMatchObject({ hint: expect.stringContaining('iconv -f WINDOWS-1252 -t UTF-8') });
  await put('6_archive.sql', Buffer.from('PGDMP\0\u0001'));
  await expect(collect('6_archive.sql')).rejects.toMatchObject({ hint: expect.stringContaining('pg_restore') });
});

it('identifies two dumps of one database by the same checksum', async () => {
  const dump = (word: string) =>
    `-- PostgreSQL database dump\n\\restrict ${word}\n\nSET transaction_timeout = 0;\nselect 1;\n\\unrestrict ${word}\n`;
  await writeFile(join(folder, '1_a.sql'), dump('abc'));
  await writeFile(join(folder, '1_b.sql'), dump('xyz'));
  const [a, b] = [(await collect('1_a.sql')).files[0], (await collect('1_b.sql')).files[0]];
  expect(a?.checksum).toBe(b?.checksum);
  expect(a?.formerChecksum).not.toBe(b?.formerChecksum);
});

it('refuses control characters in what the ledger records, and nothing else that is not shown', async () => {
  await put('a\nb/R__v.sql', 'm/001_\u0645\u06cc\u200c\u0631.sql');
  await expect(collect('a\nb/R__v.sql')).rejects.toMatchObject({
    code: 'local_file',
    message: expect.stringContaining('a\\u000ab/R__v.sql'),
  });
  expect(await namesOf('m')).toEqual(['001_\u0645\u06cc\u200c\u0631.sql']);
});

it('names the path of a file in one line of advice, also when its folder has several', async () => {
  await put('m\n\u001b[8m/001_init.sql');
  await writeFile(join(folder, 'm\n\u001b[8m/001_init.sql'), Buffer.from([0xff, 0x41, 0xfe]));

  const refused = await collect('m\n\u001b[8m').catch((error: unknown) => error);

  expect(refused).toMatchObject({ hint: expect.stringContaining('/m\\u000a\\u001b[8m/001_init.sql > converted.sql') });
});
