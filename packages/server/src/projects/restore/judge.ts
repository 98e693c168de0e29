import { FluxError } from '@flux/contract/errors';
import type { Manifest } from '../../postgres/manifest.ts';
import type { Comparison } from '../../postgres/restored-database.ts';
import { unquoteIdentifier } from '../../postgres/sql/quote.ts';

/**
 * Judges what came back beside the live data.
 *
 * @param owner the role that the backup's objects belonged to; what belonged to others belongs to the project's owner now
 * @param restored the manifest of what was restored; under other names than `original` when it came through a relay
 * @returns what differs and is no failure, in sentences
 * @throws FluxError `verification_failed`
 */
export function judgeRestored({ differences }: Comparison, owner: string | null, restored: Manifest, original: Manifest): string[] {
  const isOwnerOfOthers = ({ kind, expected }: Comparison['differences'][number]) =>
    kind === 'owner' && expected !== null && (owner === null || unquoteIdentifier(expected) !== owner);
  const failures = differences.filter((found) => found.judgement === 'failure' && !isOwnerOfOthers(found));
  if (failures.length > 0) {
    const named = failures.slice(0, 3).map(({ kind, name, change }) => `${kind} ${name} is ${change}`);
    const more = failures.length > named.length ? `; and ${failures.length - named.length} more` : '';
    throw new FluxError('verification_failed', `What came back is not what was dumped: ${named.join('; ')}${more}. Nothing was changed.`, {
      hint: 'See `flux backup verify`.',
      details: { differences: failures.slice(0, 50) },
    });
  }
  const notes: string[] = [];
  const others = differences.filter(isOwnerOfOthers);
  if (others.length > 0) notes.push(`${others.length} objects belonged to another role; they belong to the owner of the project now.`);
  const schema = original.schema;
  if (schema !== null && restored.schema !== schema) {
    const naming = restored.objects.filter(({ kind, definition }) => kind === 'function' && definition.includes(schema));
    if (naming.length > 0)
      notes.push(
        `The text of these functions names the schema ${schema}, which they will not find: ${naming.map(({ name }) => name).join(', ')}.`,
      );
  }
  return notes;
}
