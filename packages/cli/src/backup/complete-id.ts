import { FluxError } from '@flux/contract/errors';

/** Whether a text may be the beginning of a UUID: at least four digits. */
export function isIdPrefix(text: string): boolean {
  return /^[0-9a-f][0-9a-f-]{3,35}$/.test(text);
}

/**
 * The one id that begins with some digits. Ids of the same minute begin alike, so a short beginning may be of several.
 *
 * @throws FluxError the given code when there is none, `usage` when there are several, naming some of them
 */
export function completeId(
  prefix: string,
  ids: readonly string[],
  { noun, code, list }: { readonly noun: string; readonly code: 'backup_not_found' | 'operation_not_found'; readonly list: string },
): string {
  const found = ids.filter((id) => id.startsWith(prefix));
  const [first] = found;
  if (found.length === 1 && first !== undefined) return first;
  if (first === undefined) throw new FluxError(code, `There is no ${noun} whose id begins with ${prefix}.`, { hint: `See \`${list}\`.` });
  const some = found.slice(0, 4).join(', ');
  throw new FluxError(
    'usage',
    `${found.length} ${noun}s have an id that begins with ${prefix}: ${some}${found.length > 4 ? ', ...' : ''}.`,
    {
      hint: `Write more digits; see \`${list}\`.`,
    },
  );
}
