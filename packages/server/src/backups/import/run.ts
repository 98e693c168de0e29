import { Readable } from 'node:stream';
import type { BackupAnswer } from '@flux/contract/backup';
import { withoutControls } from '@flux/contract/display';
import { FluxError, isFluxError } from '@flux/contract/errors';
import type { BackupId } from '@flux/contract/ids';
import { artifactKey, manifestKey } from '../../blobs/artifact-keys.ts';
import type { LocalBlob } from '../../blobs/workspace.ts';
import { type BackupRow, updateBackup } from '../../catalog/backups.ts';
import type { Task } from '../../operations/define.ts';
import { readArchiveToc } from '../../postgres/archive/toc.ts';
import { findArchiveDamage } from '../../postgres/archive/walk.ts';
import type { Manifest } from '../../postgres/manifest.ts';
import type { PostgresToolbox } from '../../postgres/target.ts';
import type { Log } from '../../system/log.ts';
import { completeBackup, recordComplete, requireBackup } from '../complete.ts';
import type { VerificationSandbox } from '../disposable-request.ts';
import { digestPieces, type ReadingDeps } from '../reading.ts';
import { makeManifest } from './make-manifest.ts';

/** What an import uses. */
export interface ImportDeps extends ReadingDeps {
  readonly log: Log;
  readonly sandbox: VerificationSandbox;
  readonly toolbox: PostgresToolbox;
}

/** What is known of the file before it is read. */
export interface ImportedFile {
  readonly sha256: string;
  readonly name: string | null;
}

/**
 * Makes an uploaded archive a backup: reads all of it, restores it in a sandbox, and records what it restored to as its manifest. There is
 * no source to compare with, so later verifications prove that the same comes back, and nothing about the database that it was made from.
 *
 * @throws FluxError `artifact_invalid` for an archive that is damaged or does not restore; `postgres_missing`; `artifact_gone`
 */
export async function importBackup(deps: ImportDeps, backupId: BackupId, file: ImportedFile, task: Task): Promise<BackupAnswer> {
  const row = await requireBackup(deps, backupId);
  if (row.status !== 'complete') {
    await updateBackup(deps.catalog.db, backupId, { status: 'running' });
    await readIn(deps, row, file, task);
  }
  return await completeBackup(deps, backupId, task);
}

async function readIn(deps: ImportDeps, row: BackupRow, file: ImportedFile, task: Task): Promise<void> {
  const { store, sandbox } = deps;
  const reference = { projectId: row.project_id, backupId: row.id };
  await using lent = await sandbox.workspace.lend(store, artifactKey(reference), task.signal);
  task.progress({ phase: 'read', message: 'Reading the archive', total: lent.sizeBytes, unit: 'bytes' });
  await requireWhole(lent, file, task.signal);
  const toc = await readArchiveToc(lent.path, task.signal);
  const manifest = await makeManifest(deps, { toc, path: lent.path, sizeBytes: lent.sizeBytes }, task);
  const { database, serverVersion, dumpVersion, createdAtLocal } = toc.header;
  if (row.note === null) {
    const from = file.name === null ? 'a file' : file.name;
    const note = `from ${from}: database ${database} of PostgreSQL ${shortVersion(serverVersion)}, dumped by pg_dump ${shortVersion(dumpVersion)} at ${createdAtLocal} (its local time)`;
    await updateBackup(deps.catalog.db, row.id, { note: withoutControls(note).slice(0, MAX_NOTE) });
  }
  await publish(deps, row, manifest, { sizeBytes: lent.sizeBytes, sha256: file.sha256 }, task);
}

const MAX_NOTE = 500;

/** `15.18 (Debian 15.18-1.pgdg12+1)` is `15.18`. */
function shortVersion(version: string): string {
  return version.split(' ')[0] ?? version;
}

/** @throws FluxError `artifact_invalid` */
async function requireWhole(lent: LocalBlob, { sha256 }: ImportedFile, signal: AbortSignal): Promise<void> {
  const read = await digestPieces(lent.read(signal), signal, findArchiveDamage);
  if (read.sha256 !== sha256)
    throw new FluxError('artifact_invalid', `The SHA-256 of the stored file is ${read.sha256}, not ${sha256} as it arrived.`, {
      hint: 'Check the disk of the backup volume, and import the file again.',
    });
  if (read.structure !== undefined)
    throw new FluxError('artifact_invalid', `The file is not a whole archive. ${read.structure}`, {
      hint: 'Copy it again from where it was made. `pg_restore --list <file>` shows what is in it.',
    });
}

/** The manifest is durable before the row says so. */
async function publish(
  deps: ImportDeps,
  row: BackupRow,
  manifest: Manifest,
  stored: { readonly sizeBytes: number; readonly sha256: string },
  task: Task,
): Promise<void> {
  const reference = { projectId: row.project_id, backupId: row.id };
  const text = JSON.stringify(manifest);
  await deps.catalog.db.transaction().execute(task.requireHeld);
  await deps.store.put(manifestKey(reference), Readable.from([Buffer.from(text)]), { signal: task.signal }).catch((error) => {
    throw isFluxError(error) ? error : new Error('the manifest could not be stored', { cause: error });
  });
  const copy = { store: deps.store.name, key: artifactKey(reference), ...stored };
  await recordComplete(deps, row.id, copy, { manifest, text, changeMarks: undefined }, task);
}
