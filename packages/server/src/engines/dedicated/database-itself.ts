import type { PostgresSession } from '../../postgres/connect.ts';
import { sqlStateOf } from '../../postgres/connect.ts';
import { OF_DATABASE } from '../../postgres/manifest/objects/database-itself.ts';
import { databaseStatements } from '../../postgres/manifest/prerequisites/database-itself.ts';
import type { SchemaObject } from '../../postgres/manifest.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';

/**
 * Gives a restored database what belonged to the source's database itself and to its roles: settings, comment, limit, grants. Only what
 * its owner may set: no library, file or log of the server is chosen by a backup. Everybody's right to connect is not restored. What is
 * refused is left out; the comparison names it.
 *
 * @param session the superuser's, in that database
 * @param roles those that are `in use` keep their own settings
 */
export async function completeDatabase(
  session: PostgresSession,
  database: string,
  objects: readonly SchemaObject[],
  roles: 'new' | 'in use',
): Promise<void> {
  const allowed = await settingsOfOwners(session);
  const known = await ordinaryRoles(session);
  for (const { kind, setting, role, sql } of databaseStatements(objects, quoteIdentifier(database))) {
    if (setting !== null && !setting.includes('.') && !allowed.has(setting.toLowerCase())) continue;
    if (role !== null && !known.has(role)) continue;
    if (['role_setting', 'role_limit', 'membership'].includes(kind) && roles === 'in use') continue;
    // Which settings of its server somebody may change is for its administrator to say.
    if (kind === 'setting_grant') continue;
    if (kind === 'database_grant' && role === null && sql.startsWith('GRANT')) continue;
    await session.run(sql).catch((error: unknown) => {
      if (sqlStateOf(error) === undefined) throw error;
    });
  }
}

/** Copies comment, limit and grants of the live database to another one of the same server. @param live the superuser's, in the live database */
export async function copyDatabaseItself(live: PostgresSession, to: string): Promise<void> {
  const objects = await live.query<SchemaObject>(OF_DATABASE.sql, [null, []]);
  for (const { sql } of databaseStatements(objects, quoteIdentifier(to))) await live.run(sql);
}

async function settingsOfOwners(session: PostgresSession): Promise<ReadonlySet<string>> {
  const rows = await session.query<{ name: string }>(
    `select pg_catalog.lower(name) as name from pg_catalog.pg_settings where context = 'user'`,
  );
  return new Set(rows.map(({ name }) => name));
}

async function ordinaryRoles(session: PostgresSession): Promise<ReadonlySet<string>> {
  const rows = await session.query<{ name: string }>(`select rolname as name from pg_catalog.pg_roles where not rolsuper`);
  return new Set(rows.map(({ name }) => name));
}
