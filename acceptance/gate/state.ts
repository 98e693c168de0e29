import { createHash } from 'node:crypto';
import { type Dirent, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Flux, TestProject } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { catalogUri } from '../harness/superuser.ts';

/** What of a table must be the same after a refusal: that somebody asked, and when something was read or used, is recorded. */
function changesOf(table: string): string {
  if (table === 'tokens') return 'select id, sha256, access, revoked_at from tokens';
  if (table === 'audit_events')
    return `select * from audit_events where action !~ '_requested$' and action not in ('backup.restore', 'project.migrate')`;
  if (table === 'copies') return `select to_jsonb(c) - 'checked_at' from copies c`;
  if (table === 'backups') return `select to_jsonb(b) - 'bytes_read_at' from backups b`;
  if (['operations', 'operation_events', 'outbox', 'idempotency_keys'].includes(table)) return `select * from ${table} where false`;
  return `select * from ${table}`;
}

/** Everything that a refusal must leave as it is: all rows of the catalog, all files of the backup volume, the project's data. */
export async function readState(flux: Flux, project: TestProject): Promise<string> {
  const catalog = (sql: string) => psql(catalogUri(flux), sql);
  const tables = (await catalog(`select string_agg(tablename, ' ' order by tablename) from pg_tables where schemaname = 'public'`))
    .trim()
    .split(' ');
  const rows = await Promise.all(
    tables.map((table) => catalog(`select coalesce(md5(string_agg(t::text, '|' order by t::text)), '-') from (${changesOf(table)}) t`)),
  );
  const folder = join(flux.dataFolder, 'backups');
  const files = (existsSync(folder) ? (readdirSync(folder, { recursive: true, withFileTypes: true }) as Dirent[]) : [])
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => `${path} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`);
  const data = await psql(project.uri, 'select md5(string_agg(o::text, $$|$$ order by id)) from orders o');
  return JSON.stringify({ rows: tables.map((table, i) => [table, rows[i]]), files, data });
}
