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
  const queue = ALL.flatMap((queries) => queries(major)).filter(({ wholeDatabaseOnly }) => !(wholeDatabaseOnly && scope.schema !== null));
  await shareOut(queue, sessions, async (session, { sql }) => {
    const parameters = sql.includes('$2') ? [scope.schema, scope.internalRoles] : [scope.schema];
    // One by one: a list of many thousands does not fit into the arguments of a call.
    for (const row of await session.query<SchemaObject>(sql, parameters)) objects.push(row);
  });
  return objects.sort((a, b) => compareTexts(a.kind, b.kind) || compareTexts(a.name, b.name) || compareTexts(a.definition, b.definition));
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
