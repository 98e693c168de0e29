import type { PostgresSession } from '../../connect.ts';
import type { SchemaObject } from '../../manifest.ts';
import type { Scope } from '../scope.ts';
import { shareOut } from '../share-out.ts';
import { behaviourQueries } from './behaviour.ts';
import { commentQueries } from './comments.ts';
import { constraintQueries } from './constraints.ts';
import { databaseWideQueries } from './database-wide.ts';
import { extensionMemberQueries } from './extension-members.ts';
import { operatorQueries } from './operators.ts';
import { relationQueries } from './relations.ts';
import { rightsQueries } from './rights.ts';
import { typeQueries } from './types.ts';

const ALL = [
  databaseWideQueries,
  extensionMemberQueries,
  typeQueries,
  relationQueries,
  constraintQueries,
  behaviourQueries,
  operatorQueries,
  rightsQueries,
  commentQueries,
];

/**
 * Reads every object in scope as a name and a definition. One statement for each group of kinds, regardless of the number of
 * objects: 2,000 tables take well under a second. Names and definitions are made by the server's own deparse functions under
 * `DIGEST_SETTINGS` and never hold an OID, so they are equal on both sides of a restore. The sessions share the work.
 */
export async function readObjects(sessions: readonly PostgresSession[], scope: Scope, major: number): Promise<SchemaObject[]> {
  const objects: SchemaObject[] = [];
  const [database] = await (sessions[0] as PostgresSession).query<{ encoding: string }>('SELECT getdatabaseencoding() AS encoding');
  const isBytes = database?.encoding === 'SQL_ASCII';
  const queue = ALL.flatMap((queries) => queries(major)).filter(({ wholeDatabaseOnly }) => !(wholeDatabaseOnly && scope.schema !== null));
  await shareOut(queue, sessions, async (session, { sql }) => {
    const parameters = sql.includes('$2') ? [scope.schema, scope.internalRoles] : [scope.schema];
    // One by one: a list of many thousands does not fit into the arguments of a call.
    for (const row of await session.query<SchemaObject>(isBytes ? asBytes(sql) : sql, parameters))
      objects.push(isBytes ? fromBytes(row) : row);
  });
  return objects.sort((a, b) => compareTexts(a.kind, b.kind) || compareTexts(a.name, b.name) || compareTexts(a.definition, b.definition));
}

/** The texts of a database in SQL_ASCII need not be UTF-8, and read as UTF-8, different bytes would be equal. */
function asBytes(sql: string): string {
  const hex = (column: string) => `encode(convert_to(${column}, 'SQL_ASCII'), 'hex') AS ${column}`;
  return `SELECT kind, ${hex('name')}, ${hex('definition')} FROM (${sql}) objects`;
}

function fromBytes({ kind, name, definition }: SchemaObject): SchemaObject {
  return { kind, name: textOfBytes(Buffer.from(name, 'hex')), definition: textOfBytes(Buffer.from(definition, 'hex')) };
}

/** Bytes that are UTF-8 as a text; of others, each that is not ASCII is written as `\\xe9`. */
function textOfBytes(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (Buffer.from(text, 'utf8').equals(bytes)) return text;
  return bytes.toString('latin1').replaceAll(/[\x80-\xff]/g, (character) => `\\x${character.charCodeAt(0).toString(16)}`);
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
