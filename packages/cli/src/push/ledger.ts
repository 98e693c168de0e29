import type { AppliedMigration } from '@flux/contract/project';
import type { Context } from '../context.ts';
import { PAGE_LIMIT, readAllPages } from '../pages.ts';

/** Every row of a project's migration ledger, in its order. */
export async function readLedger(context: Pick<Context, 'client'>, hash: string): Promise<AppliedMigration[]> {
  return readAllPages(async (cursor) => {
    const { applied, nextCursor } = await context
      .client()
      .call('listMigrations', { params: { hash }, query: { limit: PAGE_LIMIT, cursor } });
    return { rows: applied, nextCursor };
  });
}
