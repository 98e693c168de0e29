import type { PostgresSession } from './connect.ts';
import { scramVerifier } from './scram.ts';
import { quoteIdentifier, quoteLiteral } from './sql/quote.ts';

/** The attributes of a role; it has no others. */
export interface RoleSpec {
  readonly name: string;
  /** With a password the role may log in. */
  readonly password?: string;
  readonly bypassRls?: boolean;
  readonly inherit?: boolean;
  readonly connectionLimit?: number;
  /** Initial settings of its sessions; values are SQL text (a list of names for search_path). */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Creates a role, or resets an existing one to exactly these attributes and settings. */
export async function ensureRole(session: PostgresSession, spec: RoleSpec): Promise<void> {
  const name = quoteIdentifier(spec.name);
  const attributes = [
    'NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION',
    spec.bypassRls ? 'BYPASSRLS' : 'NOBYPASSRLS',
    spec.inherit === false ? 'NOINHERIT' : 'INHERIT',
    `CONNECTION LIMIT ${spec.connectionLimit ?? -1}`,
    spec.password === undefined ? 'NOLOGIN PASSWORD NULL' : `LOGIN PASSWORD ${quoteLiteral(scramVerifier(spec.password))}`,
  ].join(' ');
  const exists = (await session.query('select from pg_catalog.pg_roles where rolname = $1', [spec.name])).length > 0;
  await session.run(`${exists ? 'ALTER' : 'CREATE'} ROLE ${name} ${attributes}`);
  await session.run(`ALTER ROLE ${name} RESET ALL`);
  for (const [setting, value] of Object.entries(spec.settings ?? {})) await session.run(`ALTER ROLE ${name} SET ${setting} = ${value}`);
}

/** Sets the password of an existing role; nothing else changes. */
export async function setRolePassword(session: PostgresSession, role: string, password: string): Promise<void> {
  await session.run(`ALTER ROLE ${quoteIdentifier(role)} PASSWORD ${quoteLiteral(scramVerifier(password))}`);
}

/** For how long a role may log in that Flux has let in: whoever needs it for longer says so again. */
const LOGIN_VALID = '5 minutes';

/**
 * Lets a role log in for some minutes, with a password that replaces the one it has. Postgres reads a password and until when it is valid at
 * once, as a login begins: one that began with an earlier password was refused by then, however long it takes to end. LOGIN alone is read at its end.
 */
export async function openLogin(session: PostgresSession, role: string, password: string): Promise<void> {
  const verifier = quoteLiteral(scramVerifier(password));
  await session.run(`ALTER ROLE ${quoteIdentifier(role)} PASSWORD ${verifier} LOGIN VALID UNTIL ${await loginEnd(session)}`);
}

/** Lets a role that was let in log in for as long again. */
export async function prolongLogin(session: PostgresSession, role: string): Promise<void> {
  await session.run(`ALTER ROLE ${quoteIdentifier(role)} LOGIN VALID UNTIL ${await loginEnd(session)}`);
}

/** By the clock of the server, which decides. */
async function loginEnd(session: PostgresSession): Promise<string> {
  const [row] = await session.query<{ at: string }>('select (pg_catalog.clock_timestamp() + $1::interval)::text as at', [LOGIN_VALID]);
  return quoteLiteral(String(row?.at));
}

/** SQL, a condition on pg_roles: the role can log in, and no living server of Flux has let it in. */
export const LEFT_OPEN = `(rolcanlogin or rolvaliduntil is null) and not coalesce(
  rolvaliduntil between pg_catalog.clock_timestamp() and pg_catalog.clock_timestamp() + '${LOGIN_VALID}'::interval, false)`;

/** Lets a role log in no more, whatever its password is and will be. */
export async function shutLogin(session: PostgresSession, role: string): Promise<void> {
  await session.run(`ALTER ROLE ${quoteIdentifier(role)} NOLOGIN VALID UNTIL 'epoch'`);
}

/**
 * Creates the roles that PostgREST and its clients expect, where they are missing; existing roles stay as they are.
 * `authenticator` cannot log in and inherits nothing: it only switches to one of the other three.
 */
export async function ensureApiRoles(session: PostgresSession): Promise<void> {
  const there = await session.query<{ rolname: string }>('select rolname from pg_catalog.pg_roles where rolname = any($1)', [
    ['anon', 'authenticated', 'service_role', 'authenticator'],
  ]);
  const missing = (name: string) => !there.some((row) => row.rolname === name);
  if (missing('anon')) await session.run('CREATE ROLE anon NOLOGIN');
  if (missing('authenticated')) await session.run('CREATE ROLE authenticated NOLOGIN');
  if (missing('service_role')) await session.run('CREATE ROLE service_role NOLOGIN BYPASSRLS');
  if (missing('authenticator')) await session.run('CREATE ROLE authenticator NOLOGIN NOINHERIT');
  await session.run('GRANT anon, authenticated, service_role TO authenticator');
}
