import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
}

const text = readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8');
const { packages } = JSON.parse(text) as { packages: Readonly<Record<string, Locked>> };
const root = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as Locked;

/** Where npm finds a package that another one asks for: beside it, or beside one of the folders around it. */
function find(from: string, name: string): Locked | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = packages[`${folder === '' || folder === '.' ? '' : `${folder}/`}node_modules/${name}`];
    if (found !== undefined || folder === '' || folder === '.') return found;
  }
}

describe('the lock file', () => {
  it('has an entry, with its digest, for everything that is asked for, on every platform', () => {
    const missing = Object.entries(packages).flatMap(([path, { dependencies, optionalDependencies }]) =>
      Object.keys({ ...dependencies, ...optionalDependencies })
        .filter((name) => {
          const found = find(path, name);
          return found === undefined || (found.link !== true && found.integrity === undefined);
        })
        .map((name) => `${path || 'package.json'} asks for ${name}`),
    );
    expect(missing).toEqual([]);
  });

  it('says what package.json says', () => {
    expect(packages['']?.optionalDependencies).toEqual(root.optionalDependencies);
  });

  it('names a Node of the same major for each platform, as a program called node', () => {
    const platforms = Object.keys(root.optionalDependencies ?? {});
    expect(platforms.length).toBe(4);
    for (const name of platforms)
      expect(find('', name), name).toMatchObject({ version: expect.stringMatching(/^24\./), bin: { node: 'bin/node' } });
  });

  it('names no address to download from, so that each machine asks its own registry', () => {
    const addresses = Object.values(packages).flatMap(({ resolved, link }) => (resolved === undefined || link === true ? [] : [resolved]));
    expect(addresses).toEqual([]);
  });
});
