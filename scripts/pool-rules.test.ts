import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const SOURCES = fileURLToPath(new URL('../packages/server/src', import.meta.url));

/** The lines of the server that match, as `file: line`, without comments. */
function linesThat(matches: RegExp, except: RegExp): readonly string[] {
  return readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !except.test(name))
    .flatMap((name) =>
      readFileSync(join(SOURCES, name), 'utf8')
        .split('\n')
        .filter((line) => matches.test(line) && !/^\s*(\/\/|\/?\*)/.test(line))
        .map((line) => `${name}: ${line.trim()}`),
    );
}

it('asks no function for a size that waits for whoever has locked the table', () => {
  expect(linesThat(/pg_(total_relation|relation|table|indexes)_size/, /^$/)).toEqual([]);
});

it('uses neither advisory locks nor NOTIFY where tenants are: their numbers and channels are common to a database', () => {
  expect(linesThat(/advisory|\b(LISTEN|NOTIFY|UNLISTEN)\s+["$a-z]|pg_notify/, /^catalog\//)).toEqual([]);
  // The same search finds them where they belong.
  expect(linesThat(/advisory/, /^(?!catalog\/)/).length).toBeGreaterThan(0);
});

it('lets nobody lift the bound of waiting for a lock, but who restores it or has one of another kind', () => {
  expect(linesThat(/lock_timeout['": =]+['"]?0/, /^$/)).toEqual([]);
});
