import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import type { PostgresSession } from './connect.ts';
import { quoteIdentifier, quoteLiteral } from './sql/quote.ts';

const ITERATIONS = 4096;

/**
 * What Postgres stores instead of a password, computed here so that the password itself is in no statement and thus in no
 * log of a server. Source: RFC 5803, and the manual, "pg_authid".
 *
 * @param salt 16 random bytes unless a test asks for others
 */
export function scramVerifier(password: string, salt: Uint8Array = randomBytes(16)): string {
  // NFKC is the part of SASLprep (RFC 4013) that changes printable text; clients normalise in the same way.
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, ITERATIONS, 32, 'sha256');
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest('base64');
  const serverKey = hmac(salted, 'Server Key').toString('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${Buffer.from(salt).toString('base64')}$${storedKey}:${serverKey}`;
}

/** What a role may do; everything not named is refused to it. */
export interface RoleSpec {
  readonly name: string;
  /** With a password the role may log in. */
  readonly password?: string;
  readonly bypassRls?: boolean;
  readonly inherit?: boolean;
  readonly connectionLimit?: number;
  /** Settings that its sessions begin with; values are SQL text (a list of names for search_path). */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Makes a role, or gives one that exists exactly these attributes and settings again. */
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

/** Gives a role that exists this password again; nothing else of it changes. */
export async function setRolePassword(session: PostgresSession, role: string, password: string): Promise<void> {
  await session.run(`ALTER ROLE ${quoteIdentifier(role)} PASSWORD ${quoteLiteral(scramVerifier(password))}`);
}

/**
 * Makes the roles that PostgREST and its clients expect, where they are missing; roles that exist stay as they are.
 * `authenticator` logs in nowhere and inherits nothing: it only becomes one of the other three.
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

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
