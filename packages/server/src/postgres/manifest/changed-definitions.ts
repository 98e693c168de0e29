import type { MeasuredDatabase, SchemaObject } from '../manifest.ts';
import { parseColumnFacts } from './facts.ts';
import { isOnlyNamed } from './named-kinds.ts';
import { normaliseDefinition } from './normalise-definition.ts';

/** An object that exists before and after a restore, with different definition texts. */
export interface ChangedDefinition {
  readonly kind: string;
  readonly name: string;
  /** As the manifest has it. */
  readonly expected: string;
  /** As the restored database has it. */
  readonly found: string;
}

/**
 * Why no dump carries a difference: pg_dump says the same of the object before and after the restore, or it has no words for the column of
 * a child table that lacks what its parent's has.
 */
export type Undumped = 'same statements' | 'taken from the parent';

/** What Postgres says of changed definitions: the keys (`keyOf`) of those that are no failure. */
export interface JudgedDefinitions {
  /** Those that are equivalent. */
  readonly equal: ReadonlySet<string>;
  /** Those whose difference no dump carries, each with the reason. */
  readonly undumped: ReadonlyMap<string, Undumped>;
}

/** Decides about changed definitions. */
export type Arbiter = (changed: readonly ChangedDefinition[]) => Promise<JudgedDefinitions>;

/** The key of an object, unique in its database. */
export function keyOf({ kind, name }: Pick<SchemaObject, 'kind' | 'name'>): string {
  return `${kind}\n${name}`;
}

/** The objects of both whose definitions differ, in the order of the manifest. */
export function changedDefinitions(
  expected: Pick<MeasuredDatabase, 'objects'>,
  found: Pick<MeasuredDatabase, 'objects'>,
): ChangedDefinition[] {
  const there = new Map(found.objects.map((object) => [keyOf(object), object]));
  return expected.objects.flatMap((object) => {
    if (isOnlyNamed(object)) return [];
    const other = there.get(keyOf(object));
    if (other === undefined || other.definition === object.definition) return [];
    const [before, after] = [withoutInternals(object), withoutInternals(other)];
    if (normaliseDefinition(before) === normaliseDefinition(after)) return [];
    return [{ kind: object.kind, name: object.name, expected: before, found: after }];
  });
}

/**
 * A definition without what is internal to Postgres. Since 15.20 and 17.12 the options of a column contain `pg_attver=<number>`, which
 * differs in every database and is omitted by the pg_dump of these releases. Users cannot set an option whose name begins with `pg_`.
 * Removed here and not where columns are read, because older manifests contain it.
 */
function withoutInternals({ kind, definition }: SchemaObject): string {
  if (kind !== 'column') return definition;
  const { options = [], ...facts } = parseColumnFacts(definition);
  const kept = options.filter((option) => !option.startsWith('pg_'));
  return JSON.stringify(kept.length === 0 ? facts : { ...facts, options: kept });
}
