import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { findClient } from '../harness/postgres.ts';
import { run, runWell } from '../harness/process.ts';

/** What a host has that this one lacks: an extension of its own, and a locale. */
export interface OtherHost extends Disposable {
  /** Programs of a Postgres that finds the extension `only_there`. */
  readonly bin: string;
  /** Environment in which C programs find the locale `de_DE.UTF-8`; undefined when this host cannot make one. */
  readonly locales: Readonly<Record<string, string>> | undefined;
}

/**
 * Makes a Postgres installation aside, with an extension that the host's own does not have. A server finds its files relative to its
 * program (postgresql.org, `src/port/path.c`), so the program is copied and everything else is linked.
 */
export async function makeOtherHost(): Promise<OtherHost> {
  const real = await realBin();
  const folder = mkdtempSync(join(tmpdir(), 'flux-other-host-'));
  chmodSync(folder, 0o755);
  const [lib, share] = await Promise.all(
    ['--pkglibdir', '--sharedir'].map(async (what) => (await runWell(join(real, 'pg_config'), [what])).trim()),
  );
  const here = (path: string) => join(folder, path);
  mkdirSync(here(real), { recursive: true });
  for (const name of readdirSync(real)) copyFileSync(join(real, name), join(here(real), name));
  linkAll(dirname(real), here(dirname(real)), [basename(real), basename(lib ?? '')]);
  linkAll(lib ?? '', here(lib ?? ''), []);
  linkAll(share ?? '', here(share ?? ''), ['extension']);
  linkAll(join(share ?? '', 'extension'), here(join(share ?? '', 'extension')), []);
  const extension = (name: string) => join(here(join(share ?? '', 'extension')), name);
  writeFileSync(extension('only_there.control'), `default_version = '1.0'\nrelocatable = true\n`);
  writeFileSync(
    extension('only_there--1.0.sql'),
    `create type vector as (x float8, y float8);\ncreate function zero() returns vector language sql immutable as 'select row(0, 0)::vector';\n`,
  );
  return {
    bin: here(real),
    locales: await makeLocale(join(folder, 'locales')),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The folder of programs that links lead to. */
async function realBin(): Promise<string> {
  const major = (await runWell(join(findClient(), 'postgres'), ['--version'])).match(/ (\d+)/)?.[1] ?? '';
  return `/usr/lib/postgresql/${major}/bin`;
}

function linkAll(from: string, to: string, except: readonly string[]): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) if (!except.includes(name)) symlinkSync(join(from, name), join(to, name));
}

/** LOCPATH replaces the system's own folder, so that C.UTF-8 is made too (locale(7)). */
async function makeLocale(folder: string): Promise<Readonly<Record<string, string>> | undefined> {
  mkdirSync(folder, { recursive: true });
  for (const [source, name] of [
    ['de_DE', 'de_DE.UTF-8'],
    ['C', 'C.UTF-8'],
  ] as const) {
    const made = await run('localedef', ['-i', source, '-f', 'UTF-8', '--no-archive', join(folder, name)]);
    // 1 is a warning: the locale was made.
    if ((made.exitCode ?? 2) > 1) return undefined;
  }
  return { LOCPATH: folder };
}
