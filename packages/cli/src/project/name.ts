import { FluxError } from '@flux/contract/errors';
import { isSlug, toSlug } from '@flux/contract/ids';

/** The slug that a name for people becomes. @throws FluxError `usage` for a name that cannot become one */
export function slugOf(name: string): string {
  const slug = toSlug(name);
  if (isSlug(slug)) return slug;
  throw new FluxError(
    'usage',
    `${JSON.stringify(name)} cannot be the name of a project: 1 to 40 of a-z, 0-9 and hyphens, a letter first.`,
    {
      hint: 'Choose another name, such as bloom-atelier.',
    },
  );
}
