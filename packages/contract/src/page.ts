import * as z from 'zod';

/** Asks for a page of a list: `cursor` is the `nextCursor` of the page before. */
export const PageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).optional(),
  cursor: z.string().optional(),
});
/** Asks for a page of a list. */
export type PageQuery = z.infer<typeof PageQuery>;
