import type { PostgresSession } from '../../connect.ts';
import type { LeftOut } from '../../manifest.ts';
import type { Scope } from '../scope.ts';
import { type Body, type Candidate, readMentions } from './body-mentions.ts';

/** An object, by its catalog and number; text, since numbers of objects have no meaning elsewhere. */
export interface ObjectId {
  readonly classid: string;
  readonly objid: string;
}

/** What functions name outside of their schema although nothing in the catalogs says so. */
export interface NamedInBodies {
  readonly objects: readonly ObjectId[];
  /** Extensions that no body names, but that one might: what it runs is put together when it runs. */
  readonly possibly: readonly string[];
  /** What a function names and a tenant export cannot contain, or what might be needed and cannot be beside what the tenant has. */
  readonly leftOut: readonly LeftOut[];
}

interface Found extends Candidate, ObjectId {
  readonly kind: string;
  readonly identity: string;
  readonly extension: string | null;
  /** Whether the tenant has something of this kind and name itself. */
  readonly own: boolean;
}

/** SQL condition: functions of a tenant can reach the schema `n`: its owner may use it, and it is neither the system's nor another tenant's. */
const REACHABLE = `n.nspname <> $1 AND n.nspname !~ '^(pg_|t_[0-9a-f]{12}_)' AND n.nspname NOT IN ('information_schema', 'flux', 'auth')
  AND has_schema_privilege((SELECT nspowner FROM pg_namespace WHERE nspname = $1), n.oid, 'USAGE')`;

/** Catalogs of what a body can name, with the prefix of their columns. */
const CATALOGS: readonly (readonly [catalog: string, prefix: string, where?: string])[] = [
  ['pg_proc', 'pro'],
  ['pg_type', 'typ', `(o.typrelid = 0 OR EXISTS (SELECT FROM pg_class c WHERE c.oid = o.typrelid AND c.relkind = 'c')) AND o.typelem = 0`],
  ['pg_class', 'rel', `o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')`],
  ['pg_operator', 'opr'],
  ['pg_collation', 'coll'],
  ['pg_ts_config', 'cfg'],
  ['pg_ts_dict', 'dict'],
];

/**
 * Operators of an extension's own types, and functions of such types that are called like one of Postgres, come with the types: without
 * these nobody can use them.
 */
const OVERLOADS: Readonly<Record<string, string>> = {
  pg_operator: ' AND o.oprleft < 16384 AND o.oprright < 16384',
  pg_proc: ` AND NOT (x.oid IS NOT NULL AND EXISTS (SELECT FROM unnest(o.proargtypes) a WHERE a >= 16384)
    AND EXISTS (SELECT FROM pg_proc s WHERE s.pronamespace = 'pg_catalog'::regnamespace AND s.proname = o.proname))`,
};

const CANDIDATES = CATALOGS.map(
  ([catalog, prefix, where = 'true']) =>
    `SELECT o.tableoid::text AS classid, o.oid::text AS objid, n.nspname AS schema, o.${prefix}name::text AS name, ${catalog === 'pg_operator'} AS "isOperator",
       i.type AS kind, i.identity, x.extname AS extension,
       EXISTS (SELECT FROM ${catalog} own JOIN pg_namespace m ON m.oid = own.${prefix}namespace WHERE m.nspname = $1 AND own.${prefix}name = o.${prefix}name) AS own
     FROM ${catalog} o JOIN pg_namespace n ON n.oid = o.${prefix}namespace
     LEFT JOIN pg_depend d ON d.classid = o.tableoid AND d.objid = o.oid AND d.deptype = 'e' LEFT JOIN pg_extension x ON x.oid = d.refobjid,
     pg_identify_object(o.tableoid, o.oid, 0) i
     WHERE ${REACHABLE} AND ${where}${OVERLOADS[catalog] ?? ''}`,
).join('\nUNION ALL ');

/** Bodies of the functions of the schema, and of those `$2` of other schemas that come with it. One in standard SQL is kept parsed, with its dependencies. */
const BODIES = `SELECT l.lanname AS language, p.prosrc || coalesce(E'\\n' || array_to_string(p.proconfig, E'\\n'), '') AS source
  FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
  WHERE (p.pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1) OR p.oid::text = ANY ($2::text[]))
    AND l.lanname NOT IN ('c', 'internal') AND to_jsonb(p) ->> 'prosqlbody' IS NULL AND p.prokind <> 'a'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')`;

/**
 * Finds what the functions of a tenant can name outside of its schema. Something that has the name of something of the tenant's counts
 * only with its schema before it.
 *
 * @param functions numbers of functions outside that come with the tenant, whose bodies are read as well
 */
export async function findNamedInBodies(session: PostgresSession, scope: Scope, functions: readonly string[]): Promise<NamedInBodies> {
  const bodies = await session.query<Body>(BODIES, [scope.schema, functions]);
  if (bodies.length === 0) return { objects: [], possibly: [], leftOut: [] };
  const mentions = readMentions(bodies);
  const candidates = await session.query<Found>(CANDIDATES, [scope.schema]);
  const objects: ObjectId[] = [];
  const leftOut: LeftOut[] = [];
  const certain = new Set<string>();
  for (const found of candidates) {
    const isTable = found.extension === null && RELATIONS.has(found.kind);
    // Operators of the pool itself are rare, and their signs stand in every text.
    if (found.isOperator && found.extension === null) continue;
    if (!mentions.names(found, found.own || isTable ? 'qualified' : undefined)) continue;
    if (isTable) leftOut.push({ kind: found.kind.replaceAll(' ', '_'), name: found.identity, reason: NAMED_IN_A_BODY });
    else objects.push({ classid: found.classid, objid: found.objid });
    if (found.extension !== null) certain.add(found.extension);
  }
  if (!mentions.isOpen) return { objects, possibly: [], leftOut };
  const others = candidates.filter(({ extension }) => extension !== null && !certain.has(extension));
  const inTheWay = new Set(others.filter(({ own, schema }) => own && schema === 'public').map(({ extension }) => extension));
  const possibly = new Set(others.map(({ extension }) => extension as string).filter((name) => !inTheWay.has(name)));
  const named = [...inTheWay].map((name) => ({ kind: 'extension', name: name as string, reason: MIGHT_BE_USED }));
  return { objects, possibly: [...possibly], leftOut: [...leftOut, ...named] };
}

const RELATIONS = new Set(['table', 'view', 'materialized view', 'foreign table', 'sequence']);
const NAMED_IN_A_BODY = 'A function of the tenant names it, and a tenant export does not contain it.';
const MIGHT_BE_USED =
  'A function of the tenant runs SQL that it puts together, which might use it; the tenant has objects of the same names, so it is not brought back.';
