import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { asRecorded, collectSqlFiles, compareNaturally, versionOf } from './files.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flux-files-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

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

it('orders numbers in names by their value', () => {
  expect(['10_a', '2_b', '1_c', '2_a', '02_a'].sort(compareNaturally)).toEqual(['1_c', '02_a', '2_a', '2_b', '10_a']);
});

it('runs versioned files in their order and repeatable ones after them', async () => {
  await put('m/R__views.sql', 'm/10_late.sql', 'm/2_early.sql', 'm/notes.txt', 'm/.hidden.sql', 'm/old/1_gone.sql');

  const files = await collectSqlFiles('m', [folder], undefined);

  expect(files.map(({ filename, mode, version }) => [filename, mode, version])).toEqual([
    ['2_early.sql', 'versioned', '2'],
    ['10_late.sql', 'versioned', '10'],
    ['R__views.sql', 'repeatable', 'R__views'],
  ]);
});

it('refuses two files that claim one version', async () => {
  await put('m/1_a.sql', 'm/001_b.sql');

  await expect(collectSqlFiles('m', [folder], undefined)).rejects.toMatchObject({
    code: 'usage',
    message: expect.stringContaining('001_b.sql'),
  });
});

it('looks in the usual places in their order, passing folders without SQL', async () => {
  await put('migrations/readme.txt', 'schema.sql', 'sql/2.sql');
  expect((await collectSqlFiles(undefined, [folder], undefined)).map(({ path }) => path)).toEqual([join(folder, 'sql/2.sql')]);

  await put('flux/migrations/1.sql');
  expect((await collectSqlFiles(undefined, [folder], undefined)).map(({ path }) => path)).toEqual([join(folder, 'flux/migrations/1.sql')]);
});

it.each([
  ['m/001_a.sql', 'versioned', '001'],
  ['m/20260101120000_users.sql', 'versioned', '20260101120000'],
  ['m/7.sql', 'versioned', '7'],
  ['m/001-a.sql', 'versioned', '001-a'],
  ['m/R__views.sql', 'repeatable', 'R__views'],
  ['m/seed.sql', 'raw', 'seed'],
  ['m/2nd.sql', 'raw', '2nd'],
  ['db/migrations/init.sql', 'versioned', 'init'],
  ['numbered/seed.sql', 'versioned', 'seed'],
])('reads %s alone as %s, like its folder', async (path, mode, version) => {
  await put(path, 'numbered/001_a.sql');

  const [alone, ...others] = await collectSqlFiles(path, [folder], undefined);

  expect(others).toEqual([]);
  expect(alone).toMatchObject({ mode, version });
  if (mode === 'raw') return;
  const inFolder = (await collectSqlFiles(join(path, '..'), [folder], undefined)).find((file) => file.path === alone?.path);
  expect(alone).toEqual(inFolder);
});

it('leaves the default schema.sql raw, and a mode that was named as it is', async () => {
  await put('schema.sql', '001_a.sql');
  expect(await collectSqlFiles(undefined, [folder], undefined)).toMatchObject([{ filename: 'schema.sql', mode: 'raw' }]);
  expect(await collectSqlFiles('001_a.sql', [folder], 'raw')).toMatchObject([{ mode: 'raw' }]);
});

it('refuses to run a whole folder raw', async () => {
  await put('m/001_a.sql');
  await expect(collectSqlFiles('m', [folder], 'raw')).rejects.toMatchObject({ code: 'usage' });
});

it('takes a file for a migration when the ledger knows it', async () => {
  await put('m/init.sql');
  const [file] = await collectSqlFiles('m/init.sql', [folder], undefined);
  if (file === undefined) throw new Error('there is no file');
  const row = { version: 'init', filename: 'init.sql', checksum: 'another' };

  expect(asRecorded(file, [row])).toMatchObject({ mode: 'versioned', version: 'init' });
  expect(asRecorded(file, [{ ...row, version: 'R:init' }])).toBe(file);
});
