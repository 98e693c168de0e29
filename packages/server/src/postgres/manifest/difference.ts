import type { Difference } from '@flux/contract/backup';
import { displaySafe } from '@flux/contract/display';

const MAX_SHOWN = 600;

/** The same, truncated. */
function displayShort(text: string): string {
  const safe = displaySafe(text);
  return safe.length <= MAX_SHOWN ? safe : `${safe.slice(0, MAX_SHOWN)}... (${safe.length} characters)`;
}

/** Creates a difference whose texts are safe to show. */
export function difference(
  judgement: Difference['judgement'],
  kind: string,
  name: string,
  change: Difference['change'],
  expected: string | null,
  found: string | null,
): Difference {
  const show = (text: string | null) => (text === null ? null : displayShort(text));
  return { judgement, kind, name: displaySafe(name), change, expected: show(expected), found: show(found) };
}
