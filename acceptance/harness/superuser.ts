import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Flux, TestProject } from './flux.ts';

/**
 * URI of the superuser of one of the server's own instances, over its Unix socket. No user of Flux has this; tests use it to create
 * situations that no user could.
 *
 * @param instance `catalog`, `shared`, or `p-<first 12 hex of the project's id>`
 */
export function superuserUri(flux: Flux, instance: string, database: string): string {
  const socket = join(flux.dataFolder, 'run', instance);
  const port = readdirSync(socket).flatMap((name) => /^\.s\.PGSQL\.(\d+)$/.exec(name)?.[1] ?? [])[0];
  if (port === undefined) throw new Error(`${socket} contains no socket`);
  const password = readFileSync(join(flux.dataFolder, 'instances', instance, 'superuser.secret'), 'utf8').trim();
  const query = new URLSearchParams({ host: socket, port, user: 'flux_admin', password });
  return `postgresql:///${encodeURIComponent(database)}?${query}`;
}

/** URI of the catalog, as its superuser. */
export function catalogUri(flux: Flux): string {
  return superuserUri(flux, 'catalog', 'flux_catalog');
}

/** The instance of a project. */
export function instanceOf(projectId: string, engine: 'v1_dedicated' | 'v2_shared'): string {
  return engine === 'v2_shared' ? 'shared' : `p-${projectId.replaceAll('-', '').slice(0, 12)}`;
}

/** The database of a project, from the URI in its credentials. */
export function databaseOf({ uri }: TestProject): string {
  return decodeURIComponent(new URL(uri).pathname.slice(1));
}
