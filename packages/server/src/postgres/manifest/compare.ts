import type { Difference } from '@flux/contract/backup';
import type { Manifest, MeasuredDatabase, SchemaObject } from '../manifest.ts';
import { compareContent } from './compare-content.ts';
import { difference } from './difference.ts';
import { normaliseDefinition } from './normalise-definition.ts';
import { isPossibleValue } from './sequences.ts';

/** What a comparison found, and how much it compared. */
export interface Comparison {
  /** Empty when everything is as it was. Only those judged `failure` speak against the artifact. */
  readonly differences: readonly Difference[];
  readonly tablesCompared: number;
  readonly rowsCompared: number;
  /** Per kind of object, how many were compared; `sequence_value` and `large_object` among them. */
  readonly objectsCompared: Readonly<Record<string, number>>;
}

export interface CompareOptions {
  /** Whether `prerequisitesAfter` was applied: then owners and grants of a tenant must be as they were. True when absent. */
  readonly prerequisitesApplied?: boolean;
}

/** Differences beyond this number are counted, not listed: a receipt must stay readable, whatever is in a dump. */
const MAX_DIFFERENCES = 1000;
/** Kinds that a tenant export leaves out by design. */
const LEFT_OUT: ReadonlySet<string> = new Set(['owner', 'grant', 'default_privileges']);
const NOTHING: ReadonlySet<string> = new Set();

/**
 * Compares a restored database with its manifest. Pure; the same two inputs always give the same answer.
 *
 * A difference is a `failure` when a restore must reproduce the thing, a `prerequisite` when the archive leaves it out by
 * design, and `not_compared` when nothing can be concluded from it; the last two are listed so that they are never passed
 * over in silence.
 */
export function compareManifests(expected: Manifest, found: MeasuredDatabase, options: CompareOptions = {}): Comparison {
  const content = compareContent(expected, found);
  const compared: Record<string, number> = {};
  const differences: Difference[] = [
    ...content.differences,
    ...compareObjects(expected, found, options, compared),
    ...compareSequences(expected, found, compared),
    ...compareLargeObjects(expected, found, compared),
    ...compareServer(expected, found),
  ];
  const isFailure = ({ judgement }: Difference) => judgement === 'failure';
  const ordered = [...differences.filter(isFailure), ...differences.filter((found) => !isFailure(found))];
  const listed = ordered.slice(0, MAX_DIFFERENCES);
  if (listed.length < differences.length)
    listed.push(
      difference(
        'not_compared',
        'differences',
        'further differences',
        'unknown',
        `${differences.length - listed.length} more are not listed`,
        null,
      ),
    );
  return { differences: listed, tablesCompared: content.tables, rowsCompared: content.rows, objectsCompared: compared };
}

function compareObjects(
  expected: Manifest,
  found: MeasuredDatabase,
  options: CompareOptions,
  compared: Record<string, number>,
): Difference[] {
  const key = ({ kind, name }: SchemaObject) => `${kind}\n${name}`;
  const there = new Map(found.objects.map((object) => [key(object), object]));
  const known = new Set(expected.objects.map(key));
  const missingTables = new Set(expected.objects.filter((object) => isRelation(object) && !there.has(key(object))).map(({ name }) => name));
  const leftOut = expected.backupKind === 'tenant_export' && options.prerequisitesApplied === false ? LEFT_OUT : NOTHING;
  const differences: Difference[] = [];
  for (const object of expected.objects) {
    compared[object.kind] = (compared[object.kind] ?? 0) + 1;
    const other = there.get(key(object));
    if (other === undefined) {
      if (!isPartOf(object, missingTables))
        differences.push(difference(judge(object, leftOut), object.kind, object.name, 'missing', object.definition, null));
    } else if (!isSameDefinition(object, other))
      differences.push(
        difference(judgeChange(object, other, leftOut), object.kind, object.name, 'changed', ...aroundChange(object, other)),
      );
  }
  const schemas = new Set(expected.objects.filter(({ kind }) => kind === 'schema').map(({ name }) => name));
  for (const object of found.objects) {
    if (
      known.has(key(object)) ||
      isOfEmptyDatabase(object, schemas) ||
      (expected.backupKind === 'tenant_export' && object.kind === 'extension')
    )
      continue;
    differences.push(difference(judge(object, leftOut), object.kind, object.name, 'extra', null, object.definition));
  }
  return differences;
}

function isSameDefinition(a: SchemaObject, b: SchemaObject): boolean {
  return a.definition === b.definition || normaliseDefinition(a.definition) === normaliseDefinition(b.definition);
}

function judge(object: SchemaObject, leftOut: ReadonlySet<string>): Difference['judgement'] {
  return leftOut.has(object.kind) ? 'prerequisite' : 'failure';
}

/** pg_dump leaves the version of an extension to the server that restores: it is a condition of the restore, not a part of it. */
function judgeChange(object: SchemaObject, other: SchemaObject, leftOut: ReadonlySet<string>): Difference['judgement'] {
  const withoutVersion = (text: string) => text.replace(/"version": "[^"]*"/, '');
  if (object.kind === 'extension' && withoutVersion(object.definition) === withoutVersion(other.definition)) return 'prerequisite';
  return judge(object, leftOut);
}

const RELATIONS = new Set(['table', 'view', 'materialized_view', 'foreign_table']);

function isRelation({ kind }: SchemaObject): boolean {
  return RELATIONS.has(kind);
}

/** A column of a table that is missing is missing with it; to say so once is enough. */
function isPartOf({ kind, name }: SchemaObject, missing: ReadonlySet<string>): boolean {
  if (missing.size === 0) return false;
  if (kind === 'row_security') return missing.has(name);
  if (kind === 'owner') return missing.has(name.replace(/^(table|view|materialized view|foreign table) /, ''));
  if (kind !== 'column' && kind !== 'constraint' && kind !== 'trigger' && kind !== 'policy' && kind !== 'rule') return false;
  for (const table of missing) if (name.startsWith(`${table}.`)) return true;
  return false;
}

/** What every empty database has: its absence in the source is not something that a restore could bring about. */
function isOfEmptyDatabase({ kind, name }: SchemaObject, schemas: ReadonlySet<string>): boolean {
  if (kind === 'extension') return name === 'plpgsql';
  if (name === 'extension plpgsql' && kind === 'comment') return true;
  if (schemas.has('public')) return false;
  return (kind === 'schema' && name === 'public') || /^schema public( to |$)/.test(name);
}

/** Definitions can be long and differ in one place: shows the place. */
function aroundChange(a: SchemaObject, b: SchemaObject): [string, string] {
  let same = 0;
  while (same < a.definition.length && a.definition[same] === b.definition[same]) same++;
  if (same < 200) return [a.definition, b.definition];
  const from = same - 80;
  return [`...${a.definition.slice(from)}`, `...${b.definition.slice(from)}`];
}

function compareSequences(expected: Manifest, found: MeasuredDatabase, compared: Record<string, number>): Difference[] {
  const there = new Map(found.sequences.map((value) => [value.name, value]));
  const say = (value: { lastValue: string; isCalled: boolean }) => `${value.lastValue}${value.isCalled ? '' : ', not yet called'}`;
  return expected.sequences.flatMap((value) => {
    compared.sequence_value = (compared.sequence_value ?? 0) + 1;
    const other = there.get(value.name);
    // A sequence that is not there has been named among the objects.
    if (other === undefined || isPossibleValue(value, other)) return [];
    const range = value.after === undefined || say(value.after) === say(value) ? say(value) : `${say(value)} to ${say(value.after)}`;
    return [difference('failure', 'sequence_value', value.name, 'changed', range, say(other))];
  });
}

function compareLargeObjects(expected: Manifest, found: MeasuredDatabase, compared: Record<string, number>): Difference[] {
  if (expected.largeObjects === null || found.largeObjects === null) return [];
  const { count, digest } = expected.largeObjects;
  if (count > 0) compared.large_object = count;
  const other = found.largeObjects;
  if (other.count !== count)
    return [
      difference('failure', 'large_object', 'large objects', other.count < count ? 'missing' : 'extra', String(count), String(other.count)),
    ];
  if (digest === null) return [difference('not_compared', 'large_object', 'content of large objects', 'unknown', null, null)];
  if (other.digest === digest) return [];
  return [difference('failure', 'large_object', 'content of large objects', 'changed', `digest ${digest}`, `digest ${other.digest}`)];
}

function compareServer(expected: Manifest, found: MeasuredDatabase): Difference[] {
  return (['major', 'encoding', 'collate', 'ctype', 'collationVersion'] as const).flatMap((fact) => {
    const [a, b] = [String(expected.server[fact]), String(found.server[fact])];
    // It says where the restore was tried, not what is in the archive.
    return a === b ? [] : [difference('not_compared', 'server', fact, 'changed', a, b)];
  });
}
