import * as z from 'zod';

/** Selects a page of a list: `cursor` is the `nextCursor` of the previous page. */
export const PageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).optional(),
  cursor: z.string().optional(),
});
/** Selects a page of a list. */
export type PageQuery = z.infer<typeof PageQuery>;
