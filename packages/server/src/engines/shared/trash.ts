import type { PostgresSession } from '../../postgres/connect.ts';
import { quoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import { revokeFromOthers, whileEndingBlockers } from './drop-schemas.ts';
import { namesWithPrefix, type TenantNames } from './names.ts';
import { allowDdl } from './refuse-ddl.ts';
import { listRoles, listSchemas, removeTenant, shutOut } from './remove.ts';
import { inTransaction } from './tenant-lock.ts';

/** `trash_20261128t015300_0123456789ab`, before `_api`, `_ddl` and so on: the time in UTC, and the short id of the project. */
const PREFIX = '^trash_[0-9]{8}t[0-9]{6}_[0-9a-f]{12}';

/**
 * Puts a tenant out of use and keeps its data under other names: nobody can log in as its roles, and nobody else has a right to its schemas. The
 * names that it had are free again, and nothing that looks for tenants finds it. One that never had anything in it is removed.
 *
 * @param session a superuser's, in the shared database
 * @param at from when on it is kept: the latest time that was seen. By a clock that is behind it would be deleted once that is right again.
 */
export async function discardTenant(
  admin: PostgresTarget,
  session: PostgresSession,
  names: TenantNames,
  at: Date,
  signal?: AbortSignal,
): Promise<void> {
  const roles = await listRoles(session, names);
  const schemas = await listSchemas(session, names, roles);
  if (!(await hasContent(session, schemas, roles))) return await removeTenant(admin, session, names, signal);
  await shutOut(admin, session, roles, signal);
  for (const schema of schemas) await revokeFromOthers(session, schema);
  const prefix = names.schema.replace(/_api$/, '_');
  const trashPrefix = await freeTrashPrefix(session, prefix, at);
  const trashNameOf = (name: string) => `${trashPrefix}${name.slice(prefix.length)}`;
  const isOurs = (name: string) => name.startsWith(prefix);
  await whileEndingBlockers(admin, session, async () => {
    try {
      await inTransaction(session, async () => {
        for (const schema of schemas.filter(isOurs)) {
          await session.run(`ALTER SCHEMA ${quoteIdentifier(schema)} RENAME TO ${quoteIdentifier(trashNameOf(schema))}`);
          const ledger = 'update flux.flux_migrations set tenant_schema = $2 where tenant_schema = $1';
          await session.query(ledger, [schema, trashNameOf(schema)]);
        }
        for (const role of roles) await session.run(`ALTER ROLE ${quoteIdentifier(role)} RENAME TO ${quoteIdentifier(trashNameOf(role))}`);
        await session.query('delete from flux.standings where tenant_schema = $1', [names.schema]);
      });
    } catch (error) {
      await session.run('ROLLBACK').catch(() => undefined);
      throw error;
    }
  });
  await allowDdl(session, names);
}

/**
 * Deletes what has been there for longer than a time, by the time in its name. What cannot be deleted, such as a role that has rights in another
 * database, does not keep the rest.
 *
 * @param onProblem is told what could not be deleted, and why
 * @returns the names of what was deleted
 */
export async function emptyTenantTrash(
  admin: PostgresTarget,
  session: PostgresSession,
  olderThanMs: number,
  now: Date,
  onProblem: (name: string, error: unknown) => void,
): Promise<readonly string[]> {
  const found = await session.query<{ prefix: string }>(
    `select distinct substring(name from $1) as prefix from (
       select nspname::text as name from pg_catalog.pg_namespace union select rolname::text from pg_catalog.pg_roles) as names
     where name ~ ($1 || '_') order by 1`,
    [PREFIX],
  );
  const expired = found.map(({ prefix }) => prefix).filter((prefix) => now.getTime() - timeOf(prefix) >= olderThanMs);
  const deleted: string[] = [];
  for (const prefix of expired)
    try {
      await removeTenant(admin, session, namesWithPrefix(prefix));
      deleted.push(prefix);
    } catch (error) {
      onProblem(prefix, error);
    }
  return deleted;
}

/** The names of a tenant in the trash begin with it. The latest time stands still while the clock is behind it, so it may be taken. */
async function freeTrashPrefix(session: PostgresSession, prefix: string, at: Date): Promise<string> {
  const digits = (time: number) => new Date(time).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').toLowerCase();
  const prefixAt = (time: number) => prefix.replace(/^t_/, `trash_${digits(time)}_`);
  const rows = await session.query<{ prefix: string }>(
    `select distinct substring(name from $1) || '_' as prefix from (
       select nspname::text as name from pg_catalog.pg_namespace union select rolname::text from pg_catalog.pg_roles) as names
     where name ~ ($1 || '_')`,
    [PREFIX],
  );
  const taken = new Set(rows.map((row) => row.prefix));
  let time = at.getTime();
  while (taken.has(prefixAt(time))) time += 1000;
  return prefixAt(time);
}

function timeOf(prefix: string): number {
  const iso = prefix.replace(/^trash_(\d{4})(\d\d)(\d\d)t(\d\d)(\d\d)(\d\d)_.*$/, '$1-$2-$3T$4:$5:$6Z');
  return Date.parse(iso);
}

/** A creation that never got a push has created schemas and roles, and nothing that belongs to them. */
async function hasContent(session: PostgresSession, schemas: readonly string[], roles: readonly string[]): Promise<boolean> {
  const [found] = await session.query<{ there: boolean }>(
    `with own as (select oid from pg_catalog.pg_namespace where nspname = any($1))
     select exists (select from pg_catalog.pg_class where relnamespace in (select oid from own))
         or exists (select from pg_catalog.pg_proc where pronamespace in (select oid from own))
         or exists (select from pg_catalog.pg_type where typnamespace in (select oid from own))
         or exists (select from pg_catalog.pg_shdepend d join pg_catalog.pg_roles r on r.oid = d.refobjid
           where d.refclassid = 'pg_catalog.pg_authid'::regclass and d.deptype = 'o' and r.rolname = any($2)
             and d.classid in ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_type'::regclass)) as there`,
    [schemas, roles],
  );
  return found?.there ?? true;
}
