import type { Difference } from '@flux/contract/backup';
import type { ChangedDefinition, Undumped } from './changed-definitions.ts';
import { difference } from './difference.ts';
import { differingFacts, type Facts } from './facts.ts';

const WHY: Readonly<Record<Undumped, string>> = {
  'same statements': 'pg_dump says the same of both, so no dump carries the difference',
  'taken from the parent': 'pg_dump cannot say that a column lacks what the column of its parent table has, so a restore adds it',
};

/** Names a difference that no dump carries. */
export function undumpedDifference(change: ChangedDefinition, why: Undumped): Difference {
  const { kind, name } = change;
  const values = valuesThatDiffer(change).map(
    ([fact, there, here]) => `${fact === '' ? '' : `${fact}: `}${there} there, ${here} after a restore`,
  );
  return difference('left_out', kind, name, 'changed', `${WHY[why]}: ${values.join('; ')}.`, null);
}

/** What differs: single facts where both definitions have such, else the whole, as a fact without a name. */
function valuesThatDiffer({ expected, found }: ChangedDefinition): readonly (readonly [fact: string, there: string, here: string])[] {
  const [before, after] = [factsOf(expected), factsOf(found)];
  if (before === undefined || after === undefined) return [['', expected, found]];
  const say = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value));
  return differingFacts(before, after).map((fact) => [fact, say(before[fact]), say(after[fact])] as const);
}

function factsOf(definition: string): Facts | undefined {
  if (!definition.startsWith('{')) return undefined;
  try {
    return JSON.parse(definition) as Facts;
  } catch {
    // The statement of something else than facts.
    return undefined;
  }
}
