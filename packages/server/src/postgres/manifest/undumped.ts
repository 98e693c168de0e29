import type { Difference } from '@flux/contract/backup';
import type { ChangedDefinition, Undumped } from './changed-definitions.ts';
import { difference } from './difference.ts';

const WHY: Readonly<Record<Undumped, string>> = {
  'same statements': 'pg_dump says the same of both, so no dump carries the difference',
  'taken from the parent': "pg_dump has no words for a column that lacks what the parent table's has, so a restore gives it that",
};

/** Names a difference that no dump carries. */
export function undumpedDifference(change: ChangedDefinition, why: Undumped): Difference {
  const { kind, name } = change;
  const values = differingFacts(change).map(
    ([fact, there, here]) => `${fact === '' ? '' : `${fact}: `}${there} there, ${here} after a restore`,
  );
  return difference('left_out', kind, name, 'changed', `${WHY[why]}: ${values.join('; ')}.`, null);
}

/** What differs: single facts where both definitions have such, else the whole, as a fact without a name. */
function differingFacts({ expected, found }: ChangedDefinition): readonly (readonly [fact: string, there: string, here: string])[] {
  const [before, after] = [factsOf(expected), factsOf(found)];
  if (before === undefined || after === undefined) return [['', expected, found]];
  const say = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value));
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .map((fact) => [fact, say(before[fact]), say(after[fact])] as const)
    .filter(([, there, here]) => there !== here);
}

function factsOf(definition: string): Readonly<Record<string, unknown>> | undefined {
  if (!definition.startsWith('{')) return undefined;
  try {
    return JSON.parse(definition) as Record<string, unknown>;
  } catch {
    // The statement of something else than facts.
    return undefined;
  }
}
