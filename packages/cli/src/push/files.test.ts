import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { collectSqlFiles, compareNaturally, versionOf } from './files.ts';

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
