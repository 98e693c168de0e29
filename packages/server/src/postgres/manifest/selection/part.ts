import type { BackupScope } from '@flux/contract/backup-scope';
import { displaySafe } from '@flux/contract/display';
import { FluxError } from '@flux/contract/errors';
import type { PostgresSession } from '../../connect.ts';
import type { LeftOut } from '../../manifest.ts';
import type { Prerequisites } from '../prerequisites/data.ts';
import { databaseRoles } from '../prerequisites/roles.ts';
import { makeStatements, readSchemaGrants } from '../prerequisites/tenant-before.ts';
import type { Scope } from '../scope.ts';
import type { Selection } from './data.ts';
import { type Matched, matchScope, type Strictness } from './match.ts';
import { readNeeds, type Unmet } from './needs.ts';
import { patternOf } from './pattern.ts';
import { readUnselected } from './unselected.ts';

/** The chosen part of a database, with what a restore of it needs that its archive does not contain. */
export interface ChosenPart {
  readonly selection: Selection;
  readonly prerequisites: Pick<Prerequisites, 'schemas' | 'settings' | 'statements'>;
  /** What is not in it, and why. */
  readonly leftOut: readonly LeftOut[];
}

const MOST_LINES = 30;

/**
 * Finds the part of a database that a scope chooses. What its objects need of the rest is found beforehand: extensions come with it, types and
 * functions are made before a restore, and what holds data of its own is refused.
 *
 * @throws FluxError `invalid_request` naming what is needed and the option to add, or the pattern that matches nothing
 */
export async function choosePart(
  session: PostgresSession,
  wanted: BackupScope,
  internalRoles: readonly string[],
  strict: Strictness,
): Promise<ChosenPart> {
  const matched = await matchScope(session, wanted, strict);
  const first = firstSelection(wanted, matched, { isComplete: await publishesNothingElse(session, matched.otherSchemas) });
  const scope: Scope = { schema: null, internalRoles, selection: first };
  const { roles } = await databaseRoles(session);
  const roleNames = roles.map(({ name }) => name);
  const needs = await readNeeds(session, scope, roleNames);
  refuseUnmet(needs.unmet, wanted);
  const extensions = await readExtensions(session, first, needs.extensions);
  const selection = first.databaseWide
    ? first
    : {
        ...first,
        extensions: await nameable(
          session,
          first,
          extensions.map(({ name }) => name),
        ),
      };
  const made = needs.made.map(({ schema, type, identity }) => ({ schema, name: `${type} ${identity}` }));
  const outside = new Set([...extensions.map(({ schema }) => schema), ...made.map(({ schema }) => schema ?? 'public')]);
  const schemas = [...outside].filter((name) => !selection.schemas.includes(name) && name !== 'pg_catalog' && name !== 'public');
  return {
    selection,
    prerequisites: {
      schemas,
      settings: made.length === 0 ? [] : [{ name: 'check_function_bodies', value: 'off' }],
      statements: [...(await readSchemaGrants(session, schemas, roleNames)), ...makeStatements(needs.made)],
    },
    leftOut: await readUnselected(session, { ...scope, selection }, matched, made),
  };
}

/** Whether no publication names a table or a schema outside of the chosen schemas. */
async function publishesNothingElse(session: PostgresSession, otherSchemas: readonly string[]): Promise<boolean> {
  const [row] = await session.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_publication_rel r JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY ($1::text[]))
       OR EXISTS (SELECT FROM pg_depend d JOIN pg_namespace n ON n.oid = d.refobjid
         WHERE d.classid = to_regclass('pg_catalog.pg_publication_namespace') AND d.refclassid = 'pg_namespace'::regclass AND n.nspname = ANY ($1::text[])) AS found`,
    [otherSchemas],
  );
  return row?.found === false;
}

/** Before it is known which extensions are needed. */
function firstSelection(
  wanted: BackupScope,
  { schemas, otherSchemas, withoutRows }: Matched,
  { isComplete }: { readonly isComplete: boolean },
): Selection {
  const tables = withoutRows.flatMap((table) => [table, ...table.partitions]).filter(({ schema }) => schemas.includes(schema));
  return {
    wanted,
    schemas,
    otherSchemas,
    databaseWide: wanted.schemas.length === 0,
    extensions: null,
    publications: wanted.schemas.length === 0 && isComplete,
    withoutRows: [...new Set(tables.map(({ name }) => name))],
  };
}

/**
 * Extensions that the archive creates: all of them, or those of the chosen schemas, those that are needed, and those that these need. plpgsql is in
 * every database.
 */
async function readExtensions(
  session: PostgresSession,
  { databaseWide, schemas }: Selection,
  needed: readonly string[],
): Promise<readonly { readonly name: string; readonly schema: string }[]> {
  return await session.query<{ name: string; schema: string }>(
    `WITH RECURSIVE used(oid) AS (
       SELECT e.oid FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
         WHERE $1::boolean OR e.extname = 'plpgsql' OR n.nspname = ANY ($2::text[]) OR e.extname = ANY ($3::text[])
       UNION SELECT d.refobjid FROM used u JOIN pg_depend d ON d.classid = 'pg_extension'::regclass AND d.objid = u.oid
         AND d.refclassid = 'pg_extension'::regclass)
     SELECT e.extname AS name, n.nspname AS schema FROM used u JOIN pg_extension e ON e.oid = u.oid JOIN pg_namespace n ON n.oid = e.extnamespace
     ORDER BY e.oid`,
    [databaseWide, schemas, needed],
  );
}

/** From this major on, pg_dump has `--extension`. */
const FIRST_WITH_EXTENSION = 14;

/**
 * The extensions that pg_dump is told to write; none where it has no such option, or where there is none, not even plpgsql.
 *
 * @throws FluxError `invalid_request` when the chosen schemas cannot be dumped without the option
 */
async function nameable(
  session: PostgresSession,
  { schemas, otherSchemas }: Selection,
  extensions: readonly string[],
): Promise<readonly string[]> {
  const [server] = await session.query<{ major: number }>(`SELECT current_setting('server_version_num')::int / 10000 AS major`);
  const isOld = (server?.major ?? 0) < FIRST_WITH_EXTENSION;
  if (!isOld && extensions.length > 0) return extensions;
  const needed = extensions.filter((name) => name !== 'plpgsql');
  if (needed.length === 0 && !schemas.includes('public')) return [];
  throw new FluxError(
    'invalid_request',
    isOld
      ? `pg_dump before PostgreSQL ${FIRST_WITH_EXTENSION} cannot dump ${needed.length > 0 ? `the extensions ${needed.join(', ')} with` : 'the schema public as one of'} chosen schemas.`
      : 'pg_dump cannot dump the schema public as one of chosen schemas, since the database has no extension, not even plpgsql.',
    { hint: `Name the others instead: ${displaySafe(otherSchemas.map((name) => `--exclude-schema ${patternOf(name)}`).join(' '))}` },
  );
}

function refuseUnmet(unmet: readonly Unmet[], wanted: BackupScope): void {
  if (unmet.length === 0) return;
  const lines = unmet.slice(0, MOST_LINES).map((one) => displaySafe(sentenceOf(one)));
  const more = unmet.length > lines.length ? [`and ${unmet.length - lines.length} more`] : [];
  const cures = [...new Set(unmet.map((one) => cureOf(one, wanted)))];
  throw new FluxError('invalid_request', 'What is chosen needs what is not, so a backup of it would not restore.', {
    hint: cures.map(displaySafe).join('\n'),
    details: { excerpt: [...lines, ...more].map((line) => `  ${line}`).join('\n'), unmet: unmet.length },
  });
}

function sentenceOf({ by, what, schema, lacks }: Unmet): string {
  const who = by ?? 'Something that is chosen';
  if (lacks === 'rows') return `${who} needs the rows of ${what}, which are excluded`;
  return `${who} needs ${what}, which ${schema === null ? 'belongs to no schema and comes only with the whole database' : `is in the schema ${schema}`}`;
}

function cureOf({ by, what, schema, lacks }: Unmet, { schemas, excludeSchemas }: BackupScope): string {
  if (lacks === 'rows')
    return `Exclude the rows of ${by?.replace(/^.* of /, '') ?? 'what needs them'} too, or do not exclude those of ${what.replace(/^table /, '')}.`;
  if (schema === null) return 'Name the schemas to leave out with --exclude-schema instead of choosing some with --schema.';
  const pattern = patternOf(schema);
  if (schemas.length > 0 && excludeSchemas.length === 0) return `Add --schema ${pattern}.`;
  return `Leave ${pattern} out of --exclude-schema${schemas.length > 0 ? `, and add --schema ${pattern}` : ''}; or exclude the schema of what needs it, too.`;
}
