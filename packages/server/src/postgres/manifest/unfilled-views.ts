import type { Manifest, MeasuredDatabase, TableContent } from '../manifest.ts';
import { parseFacts } from './facts.ts';

/** The restored materialized views that are empty because they read tables of other servers, which nobody reaches here. */
export function isUnfilled(expected: TableContent, found: TableContent): boolean {
  return expected.kind === 'materialized_view' && expected.digest !== null && found.digest === null && found.readsOtherServers === true;
}

/**
 * A restored database in which such views count as filled, so that their definitions are compared and only their rows are named as missing.
 * The other way would blame the backup for a server that does not answer.
 */
export function excuseUnfilledViews(expected: Pick<Manifest, 'tables'>, found: MeasuredDatabase): MeasuredDatabase {
  const before = new Map(expected.tables.map((table) => [table.name, table]));
  const unfilled = new Set(
    found.tables
      .filter((table) => {
        const there = before.get(table.name);
        return there !== undefined && isUnfilled(there, table);
      })
      .map(({ name }) => name),
  );
  if (unfilled.size === 0) return found;
  const objects = found.objects.map((object) =>
    object.kind === 'materialized_view' && unfilled.has(object.name)
      ? { ...object, definition: withFact(object.definition, 'populated', true) }
      : object,
  );
  return { ...found, objects };
}

/** Changes a fact in its place: definitions are compared as texts, and Postgres orders the members of jsonb by their length. */
function withFact(definition: string, name: string, value: boolean): string {
  const facts = parseFacts(definition);
  if (typeof facts[name] !== 'boolean') return definition;
  return definition.replace(`"${name}": ${String(facts[name])}`, `"${name}": ${String(value)}`);
}
