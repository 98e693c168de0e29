import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const cwd = fileURLToPath(new URL('..', import.meta.url));
const sources = globSync('{packages,acceptance,scripts,bench}/**/*.{ts,mjs}', { cwd, exclude: ['**/node_modules', '**/dist'] });
/** A path of a source file, in backticks: from the root, or from somewhere below it. */
const PATH = /`([\w.-]+\/[\w./-]+\.(?:ts|mjs))`/g;

it('the documents name source files that are there', () => {
  const named = globSync('{*.md,docs/**/*.md}', { cwd }).flatMap((file) =>
    [...readFileSync(`${cwd}/${file}`, 'utf8').matchAll(PATH)].map(([, path = '']) => ({ file, path })),
  );
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter(({ path }) => !sources.some((there) => `/${there}`.endsWith(`/${path}`)))).toEqual([]);
});
