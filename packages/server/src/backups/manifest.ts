import { createHash } from 'node:crypto';
import { FluxError } from '@flux/contract/errors';
import { type BackupRow, findManifest } from '../catalog/backups.ts';
import type { Database } from '../catalog/open.ts';
import { parseManifest } from '../postgres/manifest/schema.ts';
import type { Manifest } from '../postgres/manifest.ts';
import { findDisagreement, type Witness } from './witnesses.ts';

/**
 * The manifest of a backup. Its text is hashed here: a text other than the recorded one says nothing about the artifact, so comparing
 * with it would prove nothing.
 *
 * @throws FluxError `verification_inconclusive`
 */
export async function readManifest(db: Database, row: BackupRow): Promise<Manifest> {
  const { text, witnesses } = await readManifestText(db, row);
  requireAgreement(row, findDisagreement('Its manifest', witnesses));
  return parseManifest(text);
}

/**
 * The text of the manifest in the catalog, and the digests that the catalog has of it.
 *
 * @throws FluxError `verification_inconclusive` when the catalog has no manifest of it
 */
export async function readManifestText(
  db: Database,
  row: BackupRow,
): Promise<{ readonly text: string; readonly witnesses: readonly Witness[] }> {
  const stored = await findManifest(db, row.id);
  if (stored === undefined || row.manifest_sha256 === null)
    throw new FluxError(
      'verification_inconclusive',
      `The catalog has no manifest of backup ${row.id}, so there is nothing to compare a restore with.`,
      { hint: 'Create a new backup with `flux backup create`.' },
    );
  const sha256 = createHash('sha256').update(stored.manifest).digest('hex');
  return {
    text: stored.manifest,
    witnesses: [
      { place: 'the text in the catalog (backup_manifests.manifest)', sha256 },
      { place: 'the catalog (backup_manifests.sha256)', sha256: stored.sha256 },
      { place: 'the catalog (backups.manifest_sha256)', sha256: row.manifest_sha256 },
    ],
  };
}

/** Refuses to prove anything with records that contradict each other. @throws FluxError `verification_inconclusive` */
export function requireAgreement(row: BackupRow, ...disagreements: readonly (string | undefined)[]): void {
  const found = disagreements.filter((disagreement) => disagreement !== undefined);
  if (found.length === 0) return;
  throw new FluxError('verification_inconclusive', `What is recorded of backup ${row.id} contradicts itself. ${found.join(' ')}`, {
    hint: 'Something other than Flux has changed what differs. Put that back as it was (a file from a copy of the volume, the catalog from its own backup) and verify again, or create another backup with `flux backup create --verify`.',
  });
}
