import type { ListedSummary } from '@flux/contract/project';
import type { Context } from '../context.ts';
import { PAGE_LIMIT, readAllPages } from '../pages.ts';

/** Every project that the token may see: the removed ones, or all others, including those being created or removed. */
export async function readProjects(context: Pick<Context, 'client'>, which: 'unfinished' | 'removed'): Promise<ListedSummary[]> {
  return readAllPages(async (cursor) => {
    const query = { which, limit: PAGE_LIMIT, cursor };
    const { projects, nextCursor } = await context.client().call('listProjects', { params: {}, query });
    return { rows: projects, nextCursor };
  });
}
