/** How many rows to ask for at once: as many as the control plane gives. */
export const PAGE_LIMIT = 1000;

/** Reads a list to its end, page by page. */
export async function readAllPages<Row>(
  readPage: (cursor: string | undefined) => Promise<{ readonly rows: readonly Row[]; readonly nextCursor: string | null }>,
): Promise<Row[]> {
  const all: Row[] = [];
  let cursor: string | undefined;
  for (;;) {
    const { rows, nextCursor } = await readPage(cursor);
    all.push(...rows);
    if (nextCursor === null || rows.length === 0) return all;
    cursor = nextCursor;
  }
}
