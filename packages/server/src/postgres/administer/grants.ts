import type { PostgresSession } from '../connect.ts';
import { quoteIdentifier, unquoteIdentifier } from '../sql/quote.ts';
import type { Wanted } from './difference.ts';

const PRIVILEGE = /^(SELECT|INSERT|UPDATE|DELETE|TRUNCATE|REFERENCES|TRIGGER|MAINTAIN|USAGE|CREATE|EXECUTE)(\*?)$/;

interface Target {
  /** `<type> <identity>`, as a grant of the manifest begins. */
  readonly name: string;
  /** What ON is followed by, as this server writes it. */
  readonly target: string;
  /** The column in brackets, or empty. */
  readonly column: string;
}

/**
 * SQL for grants that the owner could not give: those that somebody else had handed on, and those on what an extension contains. The
 * administrator gives them as the owner of the object.
 *
 * No text of the manifest becomes SQL: objects are those that this server names so, and only what belongs to the project's owner, or is no
 * function of an extension. Extensions withhold functions that give the rights of the server's account, and so does Postgres itself.
 *
 * @param owner the role that owns the restored database
 */
export async function renderGrants(session: PostgresSession, wanted: readonly Wanted[], owner: string): Promise<readonly string[]> {
  if (wanted.length === 0) return [];
  const names = [...new Set(wanted.flatMap(({ name }) => splitsOf(name).map(({ object }) => object)))];
  const targets = new Map((await session.query<Target & object>(TARGETS, [names, owner])).map((target) => [target.name, target]));
  // Those of columns come last: what is revoked from a table is revoked from its columns, too.
  const ordered = [...wanted].sort((a, b) => Number(a.name.startsWith('table column ')) - Number(b.name.startsWith('table column ')));
  return ordered.flatMap(({ name, definition }) => {
    const split = splitsOf(name).find(({ object }) => targets.has(object));
    const privileges = definition === 'nothing' ? [] : definition.split(', ').map((text) => PRIVILEGE.exec(text));
    if (split === undefined || privileges.includes(null)) return [];
    const { target, column } = targets.get(split.object) as Target;
    const grantee = split.grantee === 'PUBLIC' ? 'PUBLIC' : quoteIdentifier(unquoteIdentifier(split.grantee));
    return [
      `REVOKE ALL PRIVILEGES${column} ON ${target} FROM ${grantee}`,
      ...privileges.map(
        (match) => `GRANT ${match?.[1]}${column} ON ${target} TO ${grantee}${match?.[2] === '*' ? ' WITH GRANT OPTION' : ''}`,
      ),
    ];
  });
}

/** Where ` to ` can separate an object from a grantee: a name may contain it, too. */
function splitsOf(name: string): readonly { readonly object: string; readonly grantee: string }[] {
  return [...name.matchAll(/ to /g)].map(({ index }) => ({ object: name.slice(0, index), grantee: name.slice(index + 4) })).reverse();
}

const ofExtension = (catalog: string) =>
  `EXISTS (SELECT FROM pg_depend e WHERE e.classid = '${catalog}'::regclass AND e.objid = o.oid AND e.deptype = 'e')`;
const QUALIFIED = (prefix: string) => `quote_ident(n.nspname) || '.' || quote_ident(o.${prefix}name)`;

/** $1: names of objects, $2: the owner. */
const TARGETS = `
  WITH objects AS (
    SELECT 'pg_namespace'::regclass AS classid, o.oid AS objid, 0 AS subid, 'SCHEMA ' || quote_ident(o.nspname) AS target, '' AS col
      FROM pg_namespace o WHERE pg_get_userbyid(o.nspowner) = $2 OR o.nspname = 'public'
    UNION ALL SELECT 'pg_class'::regclass, o.oid, s.subid,
        CASE o.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || ${QUALIFIED('rel')}, coalesce(' (' || quote_ident(s.attname) || ')', '')
      FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace CROSS JOIN LATERAL (
        SELECT 0 AS subid, NULL AS attname UNION ALL
        SELECT a.attnum, a.attname FROM pg_attribute a WHERE a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped) s
      WHERE o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND (pg_get_userbyid(o.relowner) = $2 OR ${ofExtension('pg_class')})
    UNION ALL SELECT 'pg_proc'::regclass, o.oid, 0, 'ROUTINE ' || o.oid::regprocedure::text, '' FROM pg_proc o WHERE pg_get_userbyid(o.proowner) = $2
    UNION ALL SELECT 'pg_type'::regclass, o.oid, 0, 'TYPE ' || ${QUALIFIED('typ')}, ''
      FROM pg_type o JOIN pg_namespace n ON n.oid = o.typnamespace WHERE n.nspname !~ '^pg_' AND (pg_get_userbyid(o.typowner) = $2 OR ${ofExtension('pg_type')})
    UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, o.oid, 0, 'FOREIGN DATA WRAPPER ' || quote_ident(o.fdwname), '' FROM pg_foreign_data_wrapper o
    UNION ALL SELECT 'pg_foreign_server'::regclass, o.oid, 0, 'FOREIGN SERVER ' || quote_ident(o.srvname), '' FROM pg_foreign_server o
      WHERE pg_get_userbyid(o.srvowner) = $2)
  SELECT i.type || ' ' || i.identity AS name, o.target, o.col AS column
  FROM objects o CROSS JOIN LATERAL pg_identify_object(o.classid, o.objid, o.subid) i WHERE i.type || ' ' || i.identity = ANY ($1)`;
