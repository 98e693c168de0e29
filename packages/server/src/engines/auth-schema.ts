import type { PostgresSession } from '../postgres/connect.ts';

const CLAIMS = "nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::pg_catalog.jsonb";

/** PostgREST sets `request.jwt.claims` to the whole token, and before version 9 `request.jwt.claim.<name>` to each claim. */
const claim = (name: string) =>
  `coalesce(nullif(pg_catalog.current_setting('request.jwt.claim.${name}', true), ''), ${CLAIMS} ->> '${name}')`;

const FUNCTIONS = [
  { name: 'auth.uid()', returns: 'uuid', body: `nullif(${claim('sub')}, '')::pg_catalog.uuid` },
  { name: 'auth.role()', returns: 'text', body: claim('role') },
  { name: 'auth.email()', returns: 'text', body: claim('email') },
  { name: 'auth.jwt()', returns: 'jsonb', body: CLAIMS },
] as const;

/**
 * Creates the missing parts of the schema `auth`: functions that tell policies who is calling. The role of the session owns
 * them. Existing functions stay as they are, since their owner may have improved them.
 *
 * @param users SQL text of the roles that may use the schema
 */
export async function ensureAuthSchema(session: PostgresSession, users: string): Promise<void> {
  await session.run('CREATE SCHEMA IF NOT EXISTS auth');
  for (const { name, returns, body } of FUNCTIONS) {
    const [found] = await session.query<{ oid: string | null }>('select pg_catalog.to_regprocedure($1)::oid::text as oid', [name]);
    if (found?.oid == null) await session.run(`CREATE FUNCTION ${name} RETURNS ${returns} LANGUAGE sql STABLE AS $$ SELECT ${body} $$`);
  }
  await session.run(`GRANT USAGE ON SCHEMA auth TO ${users}`);
}
