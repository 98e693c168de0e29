import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { thirdPartyLicenses } from './third-party-licenses.mjs';

const root = new URL('..', import.meta.url).pathname;

it('collects the licence of each bundled package once, with the text of what it embeds', async () => {
  const inputs = [
    'packages/cli/src/main.ts',
    'node_modules/commander/index.js',
    'node_modules/commander/lib/command.js',
    'node_modules/@clack/core/dist/index.mjs',
    'node_modules/libpg-query/wasm/libpg-query.js',
  ];
  const text = await thirdPartyLicenses(root, inputs, { 'libpg-query': `${root}scripts/licenses/libpg-query-wasm.txt` });
  expect(text.match(/^\S+ \d+\.\d+\.\d+ \(.+\)$/gm)?.map((line) => line.split(' ')[0])).toEqual([
    '@clack/core',
    'commander',
    'libpg-query',
  ]);
  expect(text).toContain('Permission is hereby granted, free of charge');
  expect(text).toContain('PostgreSQL Global Development Group');
});

it('fails for a bundled package without a licence file', async () => {
  await expect(thirdPartyLicenses(root, ['acceptance/fixtures/node_modules/none/index.js'])).rejects.toThrow();
});

it.skipIf(!existsSync(`${root}packages/cli/dist`))('goes with the built command line, for every package that package.json names', () => {
  const text = readFileSync(`${root}packages/cli/dist/THIRD-PARTY-LICENSES`, 'utf8');
  const { dependencies } = JSON.parse(readFileSync(`${root}packages/cli/package.json`, 'utf8')) as { dependencies: Record<string, string> };
  for (const name of Object.keys(dependencies).filter((name) => !name.startsWith('@flux/'))) expect(text).toContain(`\n${name} ` as string);
});
