import { quoteIdentifier, quoteLiteral } from '../../postgres/sql/quote.ts';
import type { RelayRequest } from './relay.ts';

/** The names that differ at the destination. */
export interface Renames {
  readonly schema: { readonly from: string; readonly to: string };
  readonly roles: readonly { readonly from: string; readonly to: string }[];
  /** Roles of Flux at the destination; their grants are not part of the user's data. */
  readonly internalRoles: readonly string[];
}

/** The same schema under other names. */
export function renamedSchema({ schema, roles, internalRoles }: Renames): RelayRequest {
  const ifThere = (name: string, statement: string) =>
    `DO ${quoteLiteral(`BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${quoteLiteral(name)}) THEN ${statement}; END IF; END`)}`;
  const sql = [
    'BEGIN',
    `ALTER SCHEMA ${quoteIdentifier(schema.from)} RENAME TO ${quoteIdentifier(schema.to)}`,
    ...roles
      .filter(({ from, to }) => from !== to)
      .map(({ from, to }) => ifThere(from, `ALTER ROLE ${quoteIdentifier(from)} RENAME TO ${quoteIdentifier(to)}`)),
    `DO ${quoteLiteral(
      `BEGIN IF pg_catalog.to_regclass('flux.flux_migrations') IS NOT NULL THEN
         UPDATE flux.flux_migrations SET tenant_schema = ${quoteLiteral(schema.to)} WHERE tenant_schema = ${quoteLiteral(schema.from)};
       END IF; END`,
    )}`,
    'COMMIT',
  ].join(';\n');
  return { sql, schema: schema.to, internalRoles, doing: 'Renaming the schema and roles' };
}

/**
 * Copies the rows of some tables into a separate schema: columns only, since indexes, keys and triggers would conflict with those of the
 * live tables. Row-level security is on and admits only the owner, because the policies of the live tables are not copied.
 *
 * @param tables names as SQL text
 */
export function copiedTables(
  schema: string,
  tables: readonly { readonly from: string; readonly name: string }[],
  internalRoles: readonly string[],
): RelayRequest {
  const quoted = quoteIdentifier(schema);
  const sql = [
    'BEGIN; SET LOCAL row_security = off',
    `CREATE SCHEMA ${quoted}`,
    ...tables.flatMap(({ from, name }) => [
      `CREATE TABLE ${quoted}.${quoteIdentifier(name)} AS TABLE ${from}`,
      `ALTER TABLE ${quoted}.${quoteIdentifier(name)} ENABLE ROW LEVEL SECURITY`,
    ]),
    'COMMIT',
  ].join(';\n');
  return { sql, schema, internalRoles, doing: `Copying ${tables.length === 1 ? 'the table' : `${tables.length} tables`}` };
}
