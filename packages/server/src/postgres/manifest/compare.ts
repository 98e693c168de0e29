import type { Difference } from '@flux/contract/backup';
import type { Manifest, MeasuredDatabase, SchemaObject } from '../manifest.ts';
import { type ChangedDefinition, changedDefinitions, type JudgedDefinitions, keyOf, type Undumped } from './changed-definitions.ts';
import { compareContent } from './compare-content.ts';
import { difference } from './difference.ts';
import { compareNamed, isOnlyNamed } from './named-kinds.ts';
import { isOfAllSchemas } from './objects/rights.ts';
import { isPossibleValue } from './sequences.ts';
import { undumpedDifference } from './undumped.ts';

/** The result of a comparison, and how much was compared. */
export interface Comparison {
  /** Empty when nothing differs. Only those judged `failure` count against the artifact. */
  readonly differences: readonly Difference[];
  readonly tablesCompared: number;
  readonly rowsCompared: number;
  /** Per kind of object, how many were compared; `sequence_value` and `large_object` among them. */
  readonly objectsCompared: Readonly<Record<string, number>>;
}

/** Differences beyond this number are counted, not listed: a receipt must stay readable, whatever is in a dump. */
const MAX_DIFFERENCES = 1000;
const NONE: JudgedDefinitions = { equal: new Set(), undumped: new Map() };
/** A difference in one of these is not the cause of a difference in the definition of another object. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(['owner', 'grant', 'default_privileges', 'comment', 'security_label']);

/**
 * Compares a restored database with its manifest. A pure function.
 *
 * A difference is a `failure` when a restore must reproduce the thing, a `prerequisite` when the archive leaves it out by
 * design, `left_out` when a restore does not bring it back, and `not_compared` when nothing can be concluded from it; the last three
 * are listed so that they are never silently ignored.
 *
 * @param judged what Postgres says of definitions that differ, see `judgeDefinitions`
 */
export function compareManifests(expected: Manifest, found: MeasuredDatabase, judged: JudgedDefinitions = NONE): Comparison {
  const content = compareContent(expected, found);
  const compared: Record<string, number> = {};
  const differences: Difference[] = [
    ...content.differences,
    ...compareObjects(expected, found, judged, compared),
    ...compareSequences(expected, found, compared),
    ...compareLargeObjects(expected, found, compared),
    ...compareServer(expected, found),
    ...compareNamed(expected, found),
    ...expected.leftOut
      .filter(({ kind }) => !isOnlyNamed({ kind }))
      .map(({ kind, name, reason }) => difference('left_out', kind, name, 'missing', reason, null)),
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
  { equal, undumped }: JudgedDefinitions,
  compared: Record<string, number>,
): Difference[] {
  const there = new Set(found.objects.map(keyOf));
  const known = new Set(expected.objects.map(keyOf));
  const changed = new Map(changedDefinitions(expected, found).map((object) => [keyOf(object), object]));
  const missingTables = new Set(
    expected.objects.filter((object) => isRelation(object) && !there.has(keyOf(object))).map(({ name }) => name),
  );
  const differences: Difference[] = [];
  const tolerable: (readonly [change: ChangedDefinition, why: Undumped])[] = [];
  for (const object of expected.objects) {
    if (isOnlyNamed(object)) continue;
    const why = undumped.get(keyOf(object));
    compared[object.kind] = (compared[object.kind] ?? 0) + 1;
    const { kind, name } = object;
    const change = changed.get(keyOf(object));
    if (!there.has(keyOf(object))) {
      if (!isPartOf(object, missingTables)) differences.push(difference('failure', kind, name, 'missing', object.definition, null));
    } else if (change === undefined || equal.has(keyOf(object))) {
      // The same.
    } else if (why !== undefined) tolerable.push([change, why]);
    else differences.push(failedChange(change));
  }
  const schemas = new Set(expected.objects.filter(({ kind }) => kind === 'schema').map(({ name }) => name));
  for (const object of found.objects) {
    if (
      isOnlyNamed(object) ||
      known.has(keyOf(object)) ||
      isOfEmptyDatabase(object, schemas) ||
      (expected.backupKind === 'tenant_export' &&
        (object.kind === 'extension' || (expected.prerequisites.defaultRevocations === undefined && isOfAllSchemas(object))))
    )
      continue;
    differences.push(difference('failure', object.kind, object.name, 'extra', null, object.definition));
  }
  // An object can differ because another one does, on which its own statement depends: a column of a view has the type of a table's.
  const isTolerated = !differences.some(({ judgement, kind }) => judgement === 'failure' && !WITHOUT_EFFECT.has(kind));
  for (const [change, why] of tolerable) differences.push(isTolerated ? undumpedDifference(change, why) : failedChange(change));
  return differences;
}

function failedChange(change: ChangedDefinition): Difference {
  return difference(judgeChange(change), change.kind, change.name, 'changed', ...aroundChange(change));
}

/** pg_dump leaves the version of an extension to the server that restores: it is a condition of the restore, not a part of it. */
function judgeChange({ kind, expected, found }: ChangedDefinition): Difference['judgement'] {
  const withoutVersion = (text: string) => text.replace(/"version": "[^"]*"/, '');
  return kind === 'extension' && withoutVersion(expected) === withoutVersion(found) ? 'prerequisite' : 'failure';
}

const RELATIONS = new Set(['table', 'view', 'materialized_view', 'foreign_table']);

function isRelation({ kind }: SchemaObject): boolean {
  return RELATIONS.has(kind);
}

/** The columns of a missing table are not reported separately. */
function isPartOf({ kind, name }: SchemaObject, missing: ReadonlySet<string>): boolean {
  if (missing.size === 0) return false;
  if (kind === 'row_security') return missing.has(name);
  if (kind === 'owner') return missing.has(name.replace(/^(table|view|materialized view|foreign table) /, ''));
  if (kind !== 'column' && kind !== 'constraint' && kind !== 'trigger' && kind !== 'policy' && kind !== 'rule') return false;
  for (const table of missing) if (name.startsWith(`${table}.`)) return true;
  return false;
}

/** What every empty database has: a restore cannot reproduce its absence in the source. */
function isOfEmptyDatabase({ kind, name }: SchemaObject, schemas: ReadonlySet<string>): boolean {
  if (kind === 'extension') return name === 'plpgsql';
  if (name === 'extension plpgsql' && kind === 'comment') return true;
  if (schemas.has('public')) return false;
  return (kind === 'schema' && name === 'public') || /^schema public( to |$)/.test(name);
}

/** Definitions can be long and differ in one place: shows only that place. */
function aroundChange({ expected, found }: ChangedDefinition): [string, string] {
  let same = 0;
  while (same < expected.length && expected[same] === found[same]) same++;
  if (same < 200) return [expected, found];
  const from = same - 80;
  return [`...${expected.slice(from)}`, `...${found.slice(from)}`];
}

function compareSequences(expected: Manifest, found: MeasuredDatabase, compared: Record<string, number>): Difference[] {
  const there = new Map(found.sequences.map((value) => [value.name, value]));
  const say = (value: { lastValue: string; isCalled: boolean }) => `${value.lastValue}${value.isCalled ? '' : ', not yet called'}`;
  return expected.sequences.flatMap((value) => {
    compared.sequence_value = (compared.sequence_value ?? 0) + 1;
    const other = there.get(value.name);
    // A missing sequence is already reported among the objects.
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

const SERVER_FACTS = ['major', 'encoding', 'collate', 'ctype', 'localeProvider', 'locale', 'icuRules', 'collationVersion'] as const;

function compareServer(expected: Manifest, found: MeasuredDatabase): Difference[] {
  return SERVER_FACTS.flatMap((fact) => {
    // What an older release did not record cannot be compared.
    if (expected.server[fact] === undefined || found.server[fact] === undefined) return [];
    const [a, b] = [String(expected.server[fact]), String(found.server[fact])];
    // It describes where the restore was tried, not what is in the archive.
    return a === b ? [] : [difference('not_compared', 'server', fact, 'changed', a, b)];
  });
}
