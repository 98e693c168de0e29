import type { PostgresSession } from '../../postgres/connect.ts';
import { quoteIdentifier, quoteLiteral } from '../../postgres/sql/quote.ts';
import type { TenantNames } from './names.ts';

/**
 * Refuses everything that creates, alters or drops something in sessions and functions of a tenant, until `allowDdl`. No lock can do that: what
 * creates an object only takes locks that do not exclude each other, and a privilege that is taken away would be missing in the
 * backup that is taken meanwhile. An event trigger belongs to no schema, so no dump of a tenant has it.
 *
 * It outlives a crash, as the closed logins of a move do, and is removed with them.
 *
 * @param session a superuser's, in the shared database
 */
export async function refuseDdl(session: PostgresSession, names: TenantNames): Promise<void> {
  const name = triggerOf(names);
  const roles = [names.ddl, names.role, names.login].map(quoteLiteral).join(', ');
  await session.run(`BEGIN;
    CREATE OR REPLACE FUNCTION flux.${name}() RETURNS event_trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
      IF session_user IN (${roles}) OR current_user IN (${roles}) THEN
        RAISE object_not_in_prerequisite_state USING
          MESSAGE = 'this project is being moved to a server of its own: nothing can be created, altered or dropped for the moment',
          HINT = 'Try again when the move has ended.';
      END IF;
    END $$;
    DROP EVENT TRIGGER IF EXISTS ${name};
    CREATE EVENT TRIGGER ${name} ON ddl_command_start EXECUTE FUNCTION flux.${name}();
    COMMIT`);
}

/** Ends `refuseDdl`. Does nothing when it has not begun. */
export async function allowDdl(session: PostgresSession, names: TenantNames): Promise<void> {
  const name = triggerOf(names);
  await session.run(`DROP EVENT TRIGGER IF EXISTS ${name}; DROP FUNCTION IF EXISTS flux.${name}()`);
}

function triggerOf({ schema }: TenantNames): string {
  return quoteIdentifier(schema.replace(/_api$/, '_moves'));
}
