import type { TokenItem } from '@flux/contract/access';
import { defineCommand } from '../command.ts';
import { formatColumns } from '../output/table.ts';
import { formatAge } from '../output/time.ts';
import { PAGE_LIMIT, readAllPages } from '../pages.ts';

/** `flux token list` */
export const command = defineCommand<Record<string, never>>({
  examples: ['flux token list', 'flux token list --json'],
  async run(context) {
    const tokens = await readAllPages(async (cursor) => {
      const page = await context.client().call('listTokens', { params: {}, query: { limit: PAGE_LIMIT, cursor } });
      return { rows: page.tokens, nextCursor: page.nextCursor };
    });
    const now = context.now();
    const rows = tokens.map((item) => [
      item.id,
      item.name,
      item.access,
      item.projects === null ? 'all projects' : item.projects.join(','),
      item.lastUsedAt === null ? 'never used' : `used ${formatAge(new Date(item.lastUsedAt), now)}`,
      stateOf(item, now),
    ]);
    context.output.answer(formatColumns(rows), { tokens });
    if (rows.length === 0) context.output.next('flux token create <name>', 'There are no tokens. Create one:');
    return 0;
  },
});

function stateOf(item: TokenItem, now: Date): string {
  if (item.revokedAt !== null) return `revoked ${formatAge(new Date(item.revokedAt), now)}`;
  if (item.expiresAt === null) return 'never expires';
  const end = new Date(item.expiresAt);
  return `${end <= now ? 'expired' : 'expires'} ${formatAge(end, now)}`;
}
