import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { LONG_FILES, SAMPLED_FILES } from './tiers.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

it('names files that exist, so that a renamed one does not leave the full tier unnoticed', () => {
  expect([...LONG_FILES, ...SAMPLED_FILES].filter((path) => !existsSync(join(root, path.replace('/**/*.test.ts', ''))))).toEqual([]);
});

it.each(SAMPLED_FILES)('%s asks for its sample', (path) => {
  expect(readFileSync(join(root, path), 'utf8')).toMatch(/\b(isSampled|sampleOf)\(/);
});
