import type { Manifest, SequenceValue } from '../manifest.ts';
import type { ExportedSnapshot } from '../snapshot.ts';
import { inScope, notOfExtension, type Scope, scopeParameter } from './scope.ts';

/** Number of sequences read in one statement: more would slow down planning, fewer would need more round trips. */
const BATCH = 400;

/**
 * Reads the value of every sequence.
 *
 * Sequences are not transactional: a snapshot does not cover them, and one that is in use has advanced when pg_dump reads it. So they are
 * read twice: before pg_dump starts and after it has ended (`addLaterSequences`). The value in the dump lies between the two; for an
 * unused sequence the two are equal.
 *
 * They are read outside of the transaction of the snapshot: reading one takes a lock, which a transaction would keep to its end, and
 * thousands of them do not fit into the lock table of a server with default settings.
 */
export async function readSequences(snapshot: ExportedSnapshot, scope: Scope): Promise<SequenceValue[]> {
  const list = await snapshot.session.query<{ name: string; relation: string; increment: string; cycles: boolean }>(
    `SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, format('%I.%I', n.nspname, c.relname) AS relation,
       s.seqincrement AS increment, s.seqcycle AS cycles
     FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relpersistence <> 't' AND ${inScope('n')} AND ${notOfExtension('pg_class', 'c.oid')} ORDER BY 1`,
    [scopeParameter(scope)],
  );
  const values: SequenceValue[] = [];
  if (list.length === 0) return values;
  await using session = await snapshot.openOutside();
  for (let start = 0; start < list.length; start += BATCH) {
    const batch = list.slice(start, start + BATCH);
    const sql = batch.map(
      ({ relation }, index) => `SELECT ${index} AS i, last_value AS "lastValue", is_called AS "isCalled" FROM ${relation}`,
    );
    const rows = await session.query<{ i: number; lastValue: string; isCalled: boolean }>(sql.join(' UNION ALL '));
    for (const { i, lastValue, isCalled } of rows) {
      const { name, increment, cycles } = batch[i] as (typeof batch)[number];
      values.push({ name, lastValue, isCalled, increment, cycles });
    }
  }
  return values.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Adds the values of sequences after pg_dump has ended. MUST be called only then: otherwise a busy sequence seems to be ahead of its
 * source. Without it, a restored sequence that is ahead cannot be judged.
 *
 * Never throws: a sequence that was dropped meanwhile cannot be read, and then the manifest stays as it is.
 */
export async function addLaterSequences(snapshot: ExportedSnapshot, manifest: Manifest): Promise<Manifest> {
  const later = await readSequences(snapshot, manifest).catch(() => []);
  const byName = new Map(later.map((value) => [value.name, value]));
  const sequences = manifest.sequences.map((value) => {
    const after = byName.get(value.name);
    return after === undefined ? value : { ...value, after: { lastValue: after.lastValue, isCalled: after.isCalled } };
  });
  return { ...manifest, sequences };
}

/**
 * Whether a restored sequence has a value that the dump may contain.
 *
 * A restored value behind the first reading would return numbers a second time, which is a failure. One beyond the second reading never
 * existed.
 */
export function isPossibleValue(expected: SequenceValue, found: SequenceValue): boolean {
  const first = { value: BigInt(expected.lastValue), isCalled: expected.isCalled };
  const restored = { value: BigInt(found.lastValue), isCalled: found.isCalled };
  if (restored.value === first.value && restored.isCalled === first.isCalled) return true;
  if (expected.after === undefined) return expected.cycles || !isBefore(restored, first, BigInt(expected.increment));
  const last = { value: BigInt(expected.after.lastValue), isCalled: expected.after.isCalled };
  const step = BigInt(expected.increment);
  if (last.value === first.value && last.isCalled === first.isCalled) return false;
  // A sequence that cycled or was set back may have had values on both sides.
  if (isBefore(last, first, step))
    return expected.cycles ? !isBefore(restored, first, step) || !isBefore(last, restored, step) : inBetween(last, restored, first, step);
  return inBetween(first, restored, last, step);
}

interface Point {
  readonly value: bigint;
  readonly isCalled: boolean;
}

/** Order in the direction of the sequence; a value that was not yet returned comes before the same value that was. */
function isBefore(a: Point, b: Point, step: bigint): boolean {
  if (a.value !== b.value) return step < 0n ? a.value > b.value : a.value < b.value;
  return !a.isCalled && b.isCalled;
}

function inBetween(low: Point, point: Point, high: Point, step: bigint): boolean {
  return !isBefore(point, low, step) && !isBefore(high, point, step);
}
