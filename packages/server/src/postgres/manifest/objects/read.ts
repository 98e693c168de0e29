import type { PostgresSession } from '../../connect.ts';
import type { LeftOut, SchemaObject } from '../../manifest.ts';
import { isDatabaseWide, type Scope, scopeParameter } from '../scope.ts';
import { shareOut } from '../share-out.ts';
import { behaviourQueries } from './behaviour.ts';
import { commentQueries } from './comments.ts';
import { constraintQueries } from './constraints.ts';
import { databaseItselfQueries } from './database-itself.ts';
import { databaseWideQueries } from './database-wide.ts';
import { extensionMemberQueries } from './extension-members.ts';
import { operatorQueries } from './operators.ts';
import type { ObjectQuery } from './query.ts';
import { relationQueries } from './relations.ts';
import { rightsQueries } from './rights.ts';
import { typeQueries } from './types.ts';

const ALL = [
  databaseWideQueries,
  databaseItselfQueries,
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
 *
 * The server tells no name of a catalog row whose object was dropped around it. The queries leave out what is known to do that; any other
 * is in `leftOut`, so that it is never taken for an object, and never silently ignored.
 *
 * @param release called after each statement, to give its locks on the catalogs and their indexes back
 */
export async function readObjects(
  sessions: readonly PostgresSession[],
  scope: Scope,
  major: number,
  release: (session: PostgresSession) => Promise<void> = async () => undefined,
): Promise<{ readonly objects: readonly SchemaObject[]; readonly leftOut: readonly LeftOut[] }> {
  const objects: SchemaObject[] = [];
  const leftOut: LeftOut[] = [];
  const [database] = await (sessions[0] as PostgresSession).query<{ encoding: string }>('SELECT getdatabaseencoding() AS encoding');
  const isBytes = database?.encoding === 'SQL_ASCII';
  const queue = ALL.flatMap((queries) => queries(major)).filter((query) => applies(query, scope));
  await shareOut(queue, sessions, async (session, { about, sql }) => {
    const parameters = sql.includes('$2') ? [scopeParameter(scope), scope.internalRoles] : [scopeParameter(scope)];
    let untold = 0;
    // One by one: a list of many thousands does not fit into the arguments of a call.
    for (const row of await session.query<ObjectRow>(isBytes ? asBytes(sql) : sql, parameters)) {
      const { kind, name, definition } = isBytes ? fromBytes(row) : row;
      if (name !== null && definition !== null) objects.push({ kind, name, definition });
      else if (name !== null) leftOut.push({ kind, name, reason: 'The server tells no definition of it, so it was not compared.' });
      else untold++;
    }
    if (untold > 0)
      leftOut.push({ kind: 'note', name: '', reason: `The server tells no name of ${untold} of its ${about}, so they were not compared.` });
    await release(session);
  });
  objects.sort((a, b) => compareTexts(a.kind, b.kind) || compareTexts(a.name, b.name) || compareTexts(a.definition, b.definition));
  return { objects, leftOut };
}

/** Whether a query is one of this scope. */
export function applies({ only }: Pick<ObjectQuery, 'only'>, scope: Scope): boolean {
  if (only === undefined) return true;
  return only === 'database-wide' ? isDatabaseWide(scope) : (only === 'tenant') === (scope.schema !== null);
}

/** What a query of objects returns, as the server may answer it. */
interface ObjectRow {
  readonly kind: string;
  readonly name: string | null;
  readonly definition: string | null;
}

/** The texts of a database in SQL_ASCII need not be UTF-8, and read as UTF-8, different bytes would be equal. */
function asBytes(sql: string): string {
  const hex = (column: string) => `encode(convert_to(${column}, 'SQL_ASCII'), 'hex') AS ${column}`;
  return `SELECT kind, ${hex('name')}, ${hex('definition')} FROM (${sql}) objects`;
}

function fromBytes({ kind, name, definition }: ObjectRow): ObjectRow {
  const read = (hex: string | null) => (hex === null ? null : textOfBytes(Buffer.from(hex, 'hex')));
  return { kind, name: read(name), definition: read(definition) };
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
