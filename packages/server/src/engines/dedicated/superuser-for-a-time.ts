import { randomBytes } from 'node:crypto';
import { FluxError } from '@flux/contract/errors';
import { connectPostgres, type PostgresSession } from '../../postgres/connect.ts';
import { scramVerifier } from '../../postgres/scram.ts';
import { quoteIdentifier, quoteLiteral } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';

/**
 * Runs work while a role is a superuser of its server, with a password that nobody else knows: whoever has the usual one cannot connect meanwhile,
 * nor after a crash that left the role a superuser. Then it is an ordinary role again, whatever happened.
 *
 * MUST only be used on a server that nobody uses yet: open sessions of the role would be a superuser's, too.
 *
 * @param admin another superuser of the server
 * @param role how the role connects, before and afterwards
 * @throws FluxError `postgres_failed` when the work has given a role of the server more rights than it had; what `work` throws
 */
export async function whileSuperuser<T>(
  admin: PostgresTarget,
  role: PostgresTarget,
  work: (target: PostgresTarget) => Promise<T>,
): Promise<T> {
  const password = randomBytes(24).toString('base64url');
  let before: ReadonlySet<string> = new Set();
  {
    await using session = await connectPostgres(admin);
    before = await readPowers(session);
    await alterRole(session, role.user, 'SUPERUSER', password);
  }
  try {
    return await work({ ...role, password });
  } finally {
    // Never with the signal of the operation: one that is cancelled ends here, too.
    await using session = await connectPostgres(admin);
    await alterRole(session, role.user, 'NOSUPERUSER', role.password ?? password);
    refuseGained([...(await readPowers(session))].filter((power) => !before.has(power)));
  }
}

/** Both in one statement, so that the two are never apart. */
async function alterRole(session: PostgresSession, name: string, attribute: 'SUPERUSER' | 'NOSUPERUSER', password: string): Promise<void> {
  await session.run(`ALTER ROLE ${quoteIdentifier(name)} ${attribute} PASSWORD ${quoteLiteral(scramVerifier(password))}`);
}

/** What roles may do beyond the objects of a database, as words. */
async function readPowers(session: PostgresSession): Promise<ReadonlySet<string>> {
  const rows = await session.query<{ power: string }>(
    `SELECT r.rolname || ' ' || a.name AS power FROM pg_catalog.pg_roles r CROSS JOIN LATERAL (VALUES ('SUPERUSER', r.rolsuper),
         ('CREATEROLE', r.rolcreaterole), ('CREATEDB', r.rolcreatedb), ('REPLICATION', r.rolreplication), ('BYPASSRLS', r.rolbypassrls)) AS a(name, has)
     WHERE a.has
     UNION ALL SELECT pg_catalog.pg_get_userbyid(m.member) || ' member of ' || pg_catalog.pg_get_userbyid(m.roleid) FROM pg_catalog.pg_auth_members m`,
  );
  return new Set(rows.map(({ power }) => power));
}

function refuseGained(gained: readonly string[]): void {
  if (gained.length === 0) return;
  throw new FluxError(
    'postgres_failed',
    `While it was restored, the archive gave roles of the server more rights than they had: ${gained.slice(0, 5).join(', ')}. Nothing was changed.`,
    {
      hint: 'No archive of pg_dump does that by itself: a function in it has. Look for it in the source, and do not trust the database until then.',
    },
  );
}
