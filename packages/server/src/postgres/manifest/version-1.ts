import { splitSql } from '@flux/contract/sql/split';
import type { Manifest } from '../manifest.ts';
import { unquoteIdentifier } from '../sql/quote.ts';
import {
  type ExtensionPrerequisite,
  type LedgerRow,
  type MembershipPrerequisite,
  NO_PREREQUISITES,
  type Prerequisites,
  type RolePrerequisite,
  type StatementPrerequisite,
} from './prerequisites/data.ts';

/** A manifest of version 2, which had what is left out as sentences. */
export interface ManifestVersion2 extends Omit<Manifest, 'version' | 'leftOut'> {
  readonly version: 2;
  readonly notes: readonly string[];
}

/** A manifest of version 1, which had its prerequisites as SQL text as well. */
export interface ManifestVersion1 extends Omit<ManifestVersion2, 'version' | 'prerequisites'> {
  readonly version: 1;
  readonly prerequisitesBefore: string;
  readonly prerequisitesAfter: string;
}

/**
 * Turns the SQL text of version 1 into data. This is the only place that reads SQL which Flux has written. It recognises whole
 * statements in the exact form that version 1 wrote; any other statement stays as it is, for the role that restores to run.
 */
export function upgradeVersion1({ prerequisitesBefore, prerequisitesAfter, ...rest }: ManifestVersion1): ManifestVersion2 {
  return { ...rest, version: 2, prerequisites: readPrerequisites(prerequisitesBefore, prerequisitesAfter, rest.schema) };
}

const NAME = '("(?:[^"]|"")+")';
const TEXT = "( ?E?'(?:[^']|'')*')";
const ROLE_BODY = new RegExp(
  `^BEGIN IF NOT EXISTS \\(SELECT FROM pg_catalog\\.pg_roles WHERE rolname = ${TEXT}\\) THEN CREATE ROLE ${NAME} NOLOGIN( SUPERUSER)?( NOINHERIT)?( BYPASSRLS)?; END IF; END$`,
);
const DO = new RegExp(`^DO ${TEXT}$`);
const MEMBERSHIP = new RegExp(`^GRANT ${NAME} TO ${NAME}$`);
const SCHEMA = new RegExp(`^CREATE SCHEMA IF NOT EXISTS ${NAME}$`);
const EXTENSION = new RegExp(`^CREATE EXTENSION IF NOT EXISTS ${NAME} WITH SCHEMA ${NAME} CASCADE$`);
const SETTING = 'SET check_function_bodies = off';
const LEDGER_DDL = /^CREATE (SCHEMA IF NOT EXISTS flux|TABLE IF NOT EXISTS flux\.flux_migrations \([a-z_,() ]+?\))$/i;
const LEDGER_ROW = new RegExp(
  `^INSERT INTO flux\\.flux_migrations \\(tenant_schema, version, filename, checksum, applied_at\\) SELECT ${TEXT}, ${TEXT}, ${TEXT}, (NULL|${TEXT}), ${TEXT}::timestamptz\\s+WHERE NOT EXISTS \\(SELECT FROM flux\\.flux_migrations WHERE tenant_schema = ${TEXT} AND version = ${TEXT}\\)$`,
);

function readPrerequisites(before: string, after: string, schema: string | null): Prerequisites {
  const roles: RolePrerequisite[] = [];
  const memberships: MembershipPrerequisite[] = [];
  const schemas: string[] = [];
  const extensions: ExtensionPrerequisite[] = [];
  const settings: { name: string; value: string }[] = [];
  const statements: StatementPrerequisite[] = [];
  const ledger: LedgerRow[] = [];
  for (const { text } of splitSql(before).statements) {
    const role = readRole(text);
    const membership = MEMBERSHIP.exec(text);
    const extension = EXTENSION.exec(text);
    const created = SCHEMA.exec(text);
    if (role !== undefined) roles.push(role);
    else if (membership !== null) memberships.push({ group: nameOf(membership[1]), member: nameOf(membership[2]) });
    // The version was in a comment, for people only.
    else if (extension !== null) extensions.push({ name: nameOf(extension[1]), schema: nameOf(extension[2]), version: null });
    else if (created !== null) schemas.push(nameOf(created[1]));
    else if (text === SETTING) settings.push({ name: 'check_function_bodies', value: 'off' });
    else statements.push({ phase: 'before', unlessType: null, sql: text });
  }
  for (const { text } of splitSql(after).statements) {
    const row = readLedgerRow(text, schema);
    if (row !== undefined) ledger.push(row);
    else if (!LEDGER_DDL.test(text.replaceAll(/\s+/g, ' '))) statements.push({ phase: 'after', unlessType: null, sql: text });
  }
  return { ...NO_PREREQUISITES, roles, memberships, schemas, extensions, settings, statements, ledger };
}

/** The role whose existence is checked and the role that is created must be the same; Flux wrote no other text. */
function readRole(text: string): RolePrerequisite | undefined {
  const literal = DO.exec(text);
  const role = literal === null ? null : ROLE_BODY.exec(textOf(literal[1]));
  if (role === null || nameOf(role[2]) !== textOf(role[1])) return undefined;
  const [superuser, noInherit, bypassesRls] = role.slice(3).map((attribute) => attribute !== undefined);
  return { name: nameOf(role[2]), superuser: superuser === true, inherits: noInherit !== true, bypassesRls: bypassesRls === true };
}

/** Flux never wrote a row of a schema other than the backup's; it stays a statement of the restoring role. */
function readLedgerRow(text: string, schema: string | null): LedgerRow | undefined {
  const row = LEDGER_ROW.exec(text);
  if (row === null) return undefined;
  const [, tenant, version, filename, checksum, , appliedAt, tenantAgain, versionAgain] = row;
  if (textOf(tenant) !== schema || tenant !== tenantAgain || version !== versionAgain) return undefined;
  return {
    version: textOf(version),
    filename: textOf(filename),
    checksum: checksum === 'NULL' ? null : textOf(checksum),
    appliedAt: textOf(appliedAt),
  };
}

function nameOf(identifier: string | undefined): string {
  return unquoteIdentifier(identifier ?? '');
}

function textOf(literal = ''): string {
  const [, escaped, body = ''] = /^ ?(E?)'([\s\S]*)'$/.exec(literal) ?? [];
  const text = body.replaceAll("''", "'");
  return escaped === 'E' ? text.replaceAll('\\\\', '\\') : text;
}
