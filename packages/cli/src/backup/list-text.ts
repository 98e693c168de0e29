import type { BackupItem, BackupList } from '@flux/contract/backup';
import { IMPORTED_NOTE } from '@flux/contract/labels';
import type { Output } from '../output/output.ts';
import { paintTier } from '../output/paint.ts';
import { formatBytes, formatCounted } from '../output/quantity.ts';
import { formatColumns, formatFields } from '../output/table.ts';
import { formatAge, formatShortTime, formatTime } from '../output/time.ts';
import { describeLeftOut } from './left-out-text.ts';

/** How to render a list. */
export interface ListStyle {
  readonly now: Date;
  readonly verbose: boolean;
  /** Columns of the screen; rows with the long form of a time need 160. */
  readonly columns: number;
  readonly colors: Output['colors'];
}

const LONG_ROWS_NEED = 160;

/**
 * The list of backups. Its first three lines are the server's answer about the newest one, in words and columns that
 * scripts depend on (`| head -3`).
 */
export function describeBackups(list: Pick<BackupList, 'backups' | 'freshness'>, style: ListStyle): string[] {
  const { freshness, backups } = list;
  const lines = [
    `Latest backup:            ${freshness.latestAt === null ? 'none' : formatTime(freshness.latestAt, style.now)}`,
    `Verification:             ${paintTier(style.colors, freshness.tier, freshness.verification)}`,
    `Safe destructive actions: ${paintTier(style.colors, freshness.tier, freshness.safeDestructiveActions)}`,
  ];
  if (backups.length === 0) return lines;
  const time = style.columns >= LONG_ROWS_NEED ? formatTime : formatShortTime;
  const [header = '', ...rows] = formatColumns([
    ['ID', 'CREATED', 'SIZE', 'LABEL'],
    ...backups.map((item) => [item.id, time(item.createdAt, style.now), formatSize(item), describeLabel(item, style)]),
  ]);
  lines.push('', header);
  rows.forEach((row, index) => {
    const item = backups[index];
    lines.push(row);
    if (style.verbose && item !== undefined) lines.push(...describeBackup(item, style.now, '    '), '');
  });
  return lines;
}

const ORIGINS: Readonly<Partial<Record<BackupItem['origin'], string>>> = { safety: ' (safety backup)', imported: ' (imported)' };

/** The label, or that somebody has deleted the file: such a backup is not damaged. */
function describeLabel(item: BackupItem, { colors, now }: ListStyle): string {
  const origin = ORIGINS[item.origin] ?? '';
  if (item.deletedAt == null) return paintTier(colors, item.tier, item.label) + origin;
  return `Deleted ${formatAge(new Date(item.deletedAt), now)} by ${item.deletedBy ?? 'somebody'}`;
}

/** All details of a backup, as `Name:  value` lines. */
export function describeBackup(item: BackupItem, now: Date, indent = ''): string[] {
  const time = (iso: string | null): string | null => (iso === null ? null : formatTime(iso, now));
  const contents =
    item.tables === null
      ? null
      : `${formatCounted(item.tables, 'table')}${item.rows === null ? '' : `, ${formatCounted(item.rows, 'row')}`}`;
  const fields = formatFields(
    [
      ['Id', item.id],
      ['Kind', `${item.kind} (${item.engine})`],
      ['Label', item.label],
      ['Tier', item.tier],
      ['Origin', item.origin === 'imported' ? IMPORTED_NOTE : null],
      ['Status', item.status],
      ['Failure', item.failure],
      ['Created', time(item.createdAt)],
      ['Completed', time(item.completedAt)],
      ['Size', item.sizeBytes === null ? null : `${formatSize(item)} (${item.sizeBytes} bytes)`],
      ['Contents', contents],
      ['SHA-256', item.checksumSha256],
      ['Postgres', item.postgresVersion],
      ['Artifact', item.localArtifactStatus],
      ['Deleted', item.deletedAt == null ? null : `${time(item.deletedAt)} by ${item.deletedBy ?? 'somebody'}`],
      ['Artifact path', item.primaryArtifactRelativePath ?? null],
      ['Validation', withTime(item.artifactValidationStatus, time(item.artifactValidationAt))],
      ['Validation error', item.artifactValidationError],
      ['Verification', withTime(item.restoreVerificationStatus, time(item.restoreVerificationAt))],
      ['Verification error', item.restoreVerificationError],
      ['Last attempt', item.lastVerificationProblem === null ? null : `inconclusive: ${item.lastVerificationProblem}`],
      ['Offsite', item.offsiteStatus],
      ['Retention', describeRetention(item, now)],
      ['Note', item.note],
    ],
    indent,
  );
  return [...fields, ...describeLeftOut(item.leftOut, indent)];
}

/** Size of a backup, or a dash while it is unknown. */
export function formatSize(item: Pick<BackupItem, 'sizeBytes'>): string {
  return item.sizeBytes === null ? '-' : formatBytes(item.sizeBytes);
}

function withTime(status: string, time: string | null): string {
  return time === null ? status : `${status} · ${time}`;
}

function describeRetention(item: BackupItem, now: Date): string {
  if (item.pinned) return 'kept: it is pinned';
  if (item.expiresAt === null) return 'kept: no expiry is set';
  return `expires by the retention policy · ${formatTime(item.expiresAt, now)}`;
}
