import type { PostgresSession } from '../../connect.ts';
import type { LeftOut } from '../../manifest.ts';
import { quoteIdentifier } from '../../sql/quote.ts';
import type { Scope } from '../scope.ts';
import type { ExtensionPrerequisite, Prerequisites, StatementPrerequisite } from './data.ts';
import { tenantRoles } from './roles.ts';
import { NEEDED_OBJECTS, TENANT_OBJECTS } from './tenant-objects.ts';

/** The prerequisites of a tenant export, and those that cannot be recorded. */
export interface TenantPrerequisites {
  readonly prerequisites: Pick<Prerequisites, 'roles' | 'schemas' | 'extensions' | 'settings' | 'statements'>;
  readonly leftOut: readonly LeftOut[];
}

interface Needed {
  readonly type: string;
  readonly identity: string;
  readonly schema: string | null;
  readonly extension: string | null;
  readonly extensionSchema: string | null;
  readonly version: string | null;
  readonly ddl: string | null;
  readonly partOf: boolean;
}

/** Functions that every policy of the usual kind calls; the text of a function's body leaves no trace in pg_depend. */
const AUTH_FUNCTIONS = ['uid', 'role', 'email', 'jwt'];

/**
 * Finds what objects of the schema use outside of it, by the dependencies that Postgres keeps: roles, schemas,
 * extensions, types, functions. What holds data of its own (a table of
 * another schema) or has no simple statement is left out, and named.
 */
export async function tenantBefore(session: PostgresSession, scope: Scope): Promise<TenantPrerequisites> {
  const needed = await session.query<Needed>(
    `WITH RECURSIVE ${TENANT_OBJECTS}, ${NEEDED_OBJECTS},
     wanted AS (SELECT classid, objid FROM needed UNION
       SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
       WHERE n.nspname = 'auth' AND p.proname = ANY ($2::text[]) AND p.prokind = 'f')
     SELECT i.type, i.identity, coalesce(tn.nspname, pn.nspname) AS schema, x.extname AS extension, xn.nspname AS "extensionSchema", x.extversion AS version,
       CASE
         WHEN p.prokind IN ('f', 'p', 'w') THEN pg_get_functiondef(p.oid)
         WHEN t.typtype = 'e' THEN format('CREATE TYPE %I.%I AS ENUM (%s)', tn.nspname, t.typname,
           (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid))
         WHEN t.typtype = 'd' THEN format('CREATE DOMAIN %I.%I AS %s%s%s%s%s', tn.nspname, t.typname, format_type(t.typbasetype, t.typtypmod),
           (SELECT ' COLLATE ' || t.typcollation::regcollation FROM pg_type b WHERE b.oid = t.typbasetype AND b.typcollation <> t.typcollation),
           ' DEFAULT ' || coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault), CASE WHEN t.typnotnull THEN ' NOT NULL' END,
           (SELECT string_agg(format(' CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)), '' ORDER BY k.conname)
            FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'))
         WHEN c.relkind = 'c' THEN format('CREATE TYPE %I.%I AS (%s)', tn.nspname, t.typname,
           (SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
            FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
         WHEN t.typtype = 'r' THEN (SELECT format('CREATE TYPE %I.%I AS RANGE (SUBTYPE = %s)', tn.nspname, t.typname, format_type(r.rngsubtype, NULL))
            FROM pg_range r WHERE r.rngtypid = t.oid)
       END AS ddl,
       -- What comes into being together with something else that is listed: arrays, multiranges, the relation of a composite type.
       (w.classid = 'pg_type'::regclass AND (t.typtype = 'm' OR EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
           OR (t.typtype = 'c' AND c.relkind <> 'c')))
         OR (w.classid = 'pg_class'::regclass AND rel.relkind IN ('c', 'i', 'I'))
         OR w.classid IN ('pg_constraint'::regclass, 'pg_namespace'::regclass) AS "partOf"
     FROM wanted w
     CROSS JOIN LATERAL pg_identify_object(w.classid, w.objid, 0) i
     LEFT JOIN pg_type t ON w.classid = 'pg_type'::regclass AND t.oid = w.objid
     LEFT JOIN pg_namespace tn ON tn.oid = t.typnamespace
     LEFT JOIN pg_class c ON c.oid = t.typrelid
     LEFT JOIN pg_class rel ON w.classid = 'pg_class'::regclass AND rel.oid = w.objid
     LEFT JOIN pg_proc p ON w.classid = 'pg_proc'::regclass AND p.oid = w.objid
     LEFT JOIN pg_namespace pn ON pn.oid = p.pronamespace
     LEFT JOIN pg_depend d ON d.classid = w.classid AND d.objid = w.objid AND d.deptype = 'e'
     LEFT JOIN pg_extension x ON x.oid = d.refobjid
     LEFT JOIN pg_namespace xn ON xn.oid = x.extnamespace
     ORDER BY w.objid`,
    [scope.schema, AUTH_FUNCTIONS],
  );
  const schemas = new Set<string>();
  const extensions = new Map<string, ExtensionPrerequisite>();
  const statements: StatementPrerequisite[] = [];
  const leftOut: LeftOut[] = [];
  for (const object of needed) {
    if (object.extension !== null) {
      schemas.add(object.extensionSchema as string);
      extensions.set(object.extension, {
        name: object.extension,
        schema: object.extensionSchema as string,
        version: object.version,
      });
      if (object.extensionSchema === scope.schema)
        leftOut.push({
          kind: 'extension',
          name: quoteIdentifier(object.extension),
          reason: "It is installed in the tenant's own schema, and a tenant export cannot contain it.",
        });
    } else if (object.ddl !== null) {
      schemas.add(object.schema as string);
      statements.push({ phase: 'before', unlessType: object.type === 'type' ? object.identity : null, sql: object.ddl });
    } else if (!object.partOf)
      leftOut.push({
        kind: object.type.replaceAll(' ', '_'),
        name: object.identity,
        reason: 'The tenant uses it, and a tenant export does not contain it.',
      });
  }
  schemas.delete('pg_catalog');
  return {
    prerequisites: {
      roles: await tenantRoles(session, scope),
      schemas: [...schemas].filter((name) => name !== scope.schema),
      extensions: [...extensions.values()],
      // A function may call one that is created after it.
      settings: [{ name: 'check_function_bodies', value: 'off' }],
      statements,
    },
    leftOut,
  };
}
