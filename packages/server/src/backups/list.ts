import type { BackupDetails, BackupList } from '@flux/contract/backup';
import { FluxError, isFluxError } from '@flux/contract/errors';
import { backupKindOf } from '@flux/contract/labels';
import type { BlobStore } from '../blobs/store.ts';
import { type BackupRow, findLatestBackup, listBackups } from '../catalog/backups.ts';
import type { Catalog, Database } from '../catalog/open.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { listVerifications } from '../catalog/verifications.ts';
import { renderDatabaseItself } from '../postgres/manifest/prerequisites/database-itself.ts';
import { renderAfter, renderBefore } from '../postgres/manifest/prerequisites/render.ts';
import type { Clock } from '../system/clock.ts';
import { checkArtifact, readBackupItem, readBackupItems, type Viewer } from './item.ts';
import { readManifest } from './manifest.ts';
import { type BackupSelector, selectBackup } from './select.ts';
import { freshnessOf, NOTHING_WRONG } from './trust.ts';

/** What the functions of this file need. */
export interface BackupReader {
  readonly catalog: Catalog;
  readonly store: BlobStore;
  readonly clock: Clock;
}

/** A page of a project's backups, newest first, with the summary of the newest. `cursor` comes from the previous page. */
export async function listProjectBackups(
  { catalog, store, clock }: BackupReader,
  project: ProjectRow,
  viewer: Viewer,
  page: { readonly limit?: number | undefined; readonly cursor?: string | undefined },
): Promise<BackupList> {
  const limit = page.limit ?? 50;
  // One extra row tells whether there is a next page.
  const rows = await listBackups(catalog.db, project.id, limit + 1, parseCursor(page.cursor));
  const shown = rows.slice(0, limit);
  const backups = await readBackupItems({ catalog, store }, shown, viewer);
  const latest = await findLatestBackup(catalog.db, project.id);
  const look = latest === undefined ? NOTHING_WRONG : await checkArtifact(store, latest);
  return {
    backups,
    reconciledAt: clock.now().toISOString(),
    nextCursor: rows.length > limit ? String(shown.at(-1)?.seq) : null,
    freshness: freshnessOf(latest, look, backupKindOf(project.engine)),
  };
}

/** What the newest backup of a project allows. */
export async function readTrust(
  { catalog, store }: Pick<BackupReader, 'catalog' | 'store'>,
  project: ProjectRow,
): Promise<Pick<BackupList['freshness'], 'tier' | 'label'>> {
  const latest = await findLatestBackup(catalog.db, project.id);
  const look = latest === undefined ? NOTHING_WRONG : await checkArtifact(store, latest);
  const { tier, label } = freshnessOf(latest, look, backupKindOf(project.engine));
  return { tier, label };
}

const VERIFICATIONS_SHOWN = 10;

/** One backup with its verifications and, for a tenant export, the SQL of its prerequisites. */
export async function showBackup(
  { catalog, store }: BackupReader,
  project: ProjectRow,
  selector: BackupSelector,
  viewer: Viewer,
): Promise<BackupDetails> {
  const row = await selectBackup(catalog.db, project, selector);
  return {
    backup: await readBackupItem({ catalog, store }, row, viewer),
    prerequisitesSql: await prerequisitesOf(catalog.db, row),
    verifications: [...(await listVerifications(catalog.db, row.id, VERIFICATIONS_SHOWN))],
  };
}

/** Null when nothing is needed. When the manifest cannot be read, a comment says why, and the verifications are still shown. */
async function prerequisitesOf(db: Database, row: BackupRow): Promise<string | null> {
  if (row.manifest_sha256 === null) return null;
  try {
    const { prerequisites, schema, objects } = await readManifest(db, row);
    if (row.kind === 'project_db') return renderDatabaseItself(objects) || null;
    return [
      '-- Before pg_restore: what the export refers to but does not contain.',
      renderBefore(prerequisites),
      '',
      '-- After pg_restore: owners, grants and the migration ledger.',
      renderAfter(prerequisites, schema),
      '',
    ].join('\n');
  } catch (error) {
    if (isFluxError(error, 'verification_inconclusive')) return `-- ${error.message.replaceAll(/\s+/g, ' ')}\n`;
    throw error;
  }
}

/** Where the previous page ended. @throws FluxError `invalid_request` */
export function parseCursor(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw new FluxError('invalid_request', 'The cursor is invalid.', {
    hint: 'Pass `nextCursor` of the previous page, or leave it out.',
  });
}
