import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const DEBIAN = '/usr/lib/postgresql';

/** The folder with psql and pg_restore of the newest major whose server is here too: the one that Flux takes for new instances. */
export function findClient(): string {
  const debian = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const named = (process.env.FLUX_POSTGRES_BIN_DIRS ?? '').split(delimiter).filter((folder) => folder !== '');
  const candidates = [...named, ...debian.map((major) => join(DEBIAN, major, 'bin')), ...(process.env.PATH ?? '').split(delimiter)];
  const found = candidates.find((folder) => ['psql', 'pg_restore', 'postgres'].every((program) => existsSync(join(folder, program))));
  if (found === undefined) throw new Error(`no folder has psql, pg_restore and postgres: ${candidates.join(', ')}`);
  return found;
}
