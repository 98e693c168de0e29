import { appendFileSync } from 'node:fs';
import { it, type TestOptions } from 'vitest';
import { OPEN } from './open.ts';

/**
 * A test that `open.ts` may have marked as not right yet under its key: it has to fail then.
 *
 * How it ended is appended to the file that FLUX_CASES_REPORT names, if any.
 */
export function declareOpen(key: string, title: string, options: TestOptions, test: () => Promise<void>): void {
  const open = OPEN[key];
  const declare = open === undefined ? it : it.fails;
  declare(title + (open === undefined ? '' : ` (open: ${open})`), options, async () => {
    try {
      await test();
    } catch (error) {
      report(key, error instanceof Error ? error.message : String(error));
      throw error;
    }
    report(key, null);
  });
}

function report(key: string, failure: string | null): void {
  const path = process.env.FLUX_CASES_REPORT;
  if (path !== undefined) appendFileSync(path, `${JSON.stringify({ key, failure })}\n`);
}
