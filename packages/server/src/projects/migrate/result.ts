import type { MigrateResult } from '@flux/contract/migrate';

/** The result of a migration that did nothing; others are made from it. */
export const NOTHING: MigrateResult = {
  did: 'nothing',
  backupId: null,
  tablesCompared: 0,
  rowsCompared: 0,
  notes: [],
  writesHeldMs: null,
  outageMs: null,
  sourceKept: false,
  staged: null,
};
