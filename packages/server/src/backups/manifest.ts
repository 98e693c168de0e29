import { createHash } from 'node:crypto';
import { FluxError } from '@flux/contract/errors';
import { type BackupRow, findManifest } from '../catalog/backups.ts';
import type { Database } from '../catalog/open.ts';
import { parseManifest } from '../postgres/manifest/schema.ts';
import type { Manifest } from '../postgres/manifest.ts';

/**
 * The manifest of a backup. Its text is hashed here: a text other than the recorded one says nothing about the artifact, so comparing
 * with it would prove nothing.
 *
 * @throws FluxError `verification_inconclusive`
 */
export async function readManifest(db: Database, row: BackupRow): Promise<Manifest> {
  const stored = await findManifest(db, row.id);
  if (stored === undefined || stored.sha256 !== row.manifest_sha256) {
    throw new FluxError(
      'verification_inconclusive',
      `The catalog has no manifest of backup ${row.id}, so there is nothing to compare a restore with.`,
      {
        hint: 'Create a new backup with `flux backup create`.',
      },
    );
  }
  const sha256 = createHash('sha256').update(stored.manifest).digest('hex');
  if (sha256 !== row.manifest_sha256) {
    throw new FluxError(
      'verification_inconclusive',
      `The manifest of backup ${row.id} in the catalog is not the one that was recorded: its SHA-256 is ${sha256}, not ${row.manifest_sha256}.`,
      {
        hint: 'The catalog was changed by something other than Flux. Create a new backup with `flux backup create`.',
      },
    );
  }
  return parseManifest(stored.manifest);
}
