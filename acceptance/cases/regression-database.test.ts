import { mkdtempSync, rmSync } from 'node:fs';
import { afterAll, describe } from 'vitest';
import { prepareRegressionSource } from '../../scripts/setup/regression-source.mjs';
import { findClient } from '../harness/postgres.ts';
import { runWell } from '../harness/process.ts';
import { makeRegressionDatabase } from './regression-database.ts';
import { describeWholeDatabase } from './whole-database.ts';

const major = Number((await runWell(`${findClient()}/postgres`, ['--version'])).match(/ (\d+)/)?.[1]);
const source = prepareRegressionSource(major);
if ('refused' in source)
  process.stderr.write(`\n*** SKIPPED: the regression database of PostgreSQL is NOT tested here. ${source.refused}\n\n`);

describe.skipIf('refused' in source)('the regression database of PostgreSQL', () => {
  // A folder for software beside that of the system: a sandbox shows a library there.
  let libraries: string | undefined;
  afterAll(() => {
    if (libraries !== undefined) rmSync(libraries, { recursive: true });
  });

  describeWholeDatabase({
    slug: 'regression',
    settings: { wal_level: 'logical', max_prepared_transactions: '2' },
    make: async (cluster) => {
      if ('refused' in source) throw new Error(source.refused);
      libraries = mkdtempSync('/opt/flux-regression-');
      return await makeRegressionDatabase(cluster, source, libraries);
    },
    tables: 500,
    needsSuperuser: true,
  });
});
