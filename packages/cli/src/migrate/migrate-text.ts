import type { MigrateAnswer, MigrateResult } from '@flux/contract/migrate';
import { formatBytes, formatCount, formatCounted } from '../output/quantity.ts';
import { formatFields } from '../output/table.ts';

/** Plan and preflight, for people. */
export function describePlan({ ok, plan, preflight }: MigrateAnswer): string[] {
  const title = `Migration of ${plan.slug} (${plan.hash}) from ${plan.from} to ${plan.to}`;
  if (plan.steps.length === 0) return [title, 'Nothing is left to do.'];
  const size = `${formatCounted(plan.tables, 'table')}, about ${formatCounted(plan.estimatedRows, 'row')}, ${formatBytes(plan.sizeBytes)}`;
  return [
    title,
    ...(plan.from === plan.to ? [] : [`Size: ${size}`]),
    ...plan.steps.map((step, index) => `${index + 1}. ${step}`),
    ...preflight.map(({ severity, what, found }) => `${severity === 'blocks' ? '✗' : '!'} ${what}: ${found}`),
    ok ? '✓ Nothing prevents the migration.' : '✗ The project cannot be migrated as it is.',
  ];
}

/** What a migration did, for people. */
export function describeResult({ plan, result }: MigrateAnswer): string[] {
  if (result === null) return [];
  const fields: [string, string | null][] = [
    ['Backup', result.backupId],
    [
      'Compared',
      result.tablesCompared === 0
        ? null
        : `${formatCount(result.tablesCompared)} tables, ${formatCount(result.rowsCompared)} rows; nothing differs from what was dumped`,
    ],
    ['Writes blocked for', result.writesHeldMs === null ? null : `${formatCount(result.writesHeldMs)} ms`],
    ['Outage', result.outageMs === null ? null : `${formatCount(result.outageMs)} ms`],
    ['Pooled schema', result.did === 'migrated' ? (result.sourceKept ? 'kept, closed' : 'removed') : null],
    ['Copy', result.staged === null ? null : addressOf(result.staged)],
  ];
  return [
    `${result.did === 'nothing' ? '' : '✓ '}${SENTENCES[result.did].replace('%', `${plan.slug} (${plan.hash})`)}`,
    ...formatFields(fields),
    ...result.notes.map((note) => `Note: ${note}`),
    ...(result.did !== 'nothing' && result.sourceKept ? ['Remove the pooled schema with --drop-source-after when you are sure.'] : []),
  ];
}

function addressOf({ user, host, port, database }: NonNullable<MigrateResult['staged']>): string {
  return `postgresql://${user}@${host}:${port}/${database} (the password is that of \`flux project credentials\`)`;
}

const SENTENCES: Record<MigrateResult['did'], string> = {
  dumped: '% is backed up and verified; it stays in the pool',
  staged: 'A dedicated copy of % is ready for inspection; the project stays in the pool',
  discarded: 'The dedicated copy of % is removed',
  migrated: '% now runs on its own Postgres server',
  dropped_source: 'The pooled schema of % is removed',
  nothing: 'Nothing was left to do for %.',
};
