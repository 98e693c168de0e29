import { withoutControls } from '@flux/contract/display';
import { DUMP_HEAD_BYTES, refuseDumpFile } from '@flux/contract/dump-file';
import { FluxError } from '@flux/contract/errors';
import type { BackupId, OperationId } from '@flux/contract/ids';
import * as z from 'zod';
import { artifactKey, deleteArtifact } from '../../blobs/artifact-keys.ts';
import type { Actor } from '../../catalog/audit.ts';
import { insertBackup } from '../../catalog/backups.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import { defineOperation } from '../../operations/define.ts';
import { type RequestDeps, requestOperation } from '../../operations/request.ts';
import { uuidv7 } from '../../system/uuid.ts';
import { abandonBackups } from '../abandon.ts';
import { newBackup, requireBackupId } from '../create.ts';
import { type Allowance, type QuotaDeps, requireQuota } from '../quota.ts';
import { type ImportDeps, importBackup } from './run.ts';
import type { UploadShare } from './uploads.ts';

/** Makes a backup of an uploaded archive. Restarted after its worker is lost: the archive is in the store, and nothing else counts before the end. */
export const backupImport = defineOperation({
  kind: 'backup_import',
  lane: 'verify',
  request: z.object({ sha256: z.string(), name: z.string().nullable() }),
  touches: 'backup',
  runsOn: 'any',
  audit: ({ backupId, request }) => ({ action: 'backup.import', subject: String(backupId), details: request }),
  afterWorkerLoss: 'restart',
  run: (deps: ImportDeps, { backupId, request }, task) => importBackup(deps, requireBackupId(backupId), request, task),
  onInterrupted: abandonBackups,
});

/** An archive that is being uploaded. */
export interface Upload {
  readonly bytes: AsyncIterable<Buffer>;
  /** Of all of them, as the client has announced; undefined when it has not. */
  readonly sizeBytes: number | undefined;
  /** What it takes of the disk until it is recorded, or given up. The caller disposes of it. */
  readonly share: UploadShare;
  /** Of all of them, as the client has counted. */
  readonly sha256: string;
  /** Name of the file. */
  readonly name?: string | undefined;
  readonly note?: string | undefined;
}

/**
 * Refuses a project into which no archive can be imported. Asked before the first byte is read.
 *
 * @throws FluxError `not_ready`, `invalid_request`
 */
export function requireImporting(project: ProjectRow): void {
  if (project.lifecycle !== 'active')
    throw new FluxError('not_ready', `${project.slug} is ${project.lifecycle}, so nothing is imported into it.`, {
      hint: 'See `flux list`.',
    });
  if (project.engine === 'v1_dedicated') return;
  throw new FluxError(
    'invalid_request',
    `${project.slug} is one schema of a pooled cluster, and an archive of pg_dump may hold anything of a whole database. Nothing was imported.`,
    {
      hint: 'Import it into a dedicated project: `flux create <name> --mode v1_dedicated`, then `flux backup import <file> --project <name>`.',
    },
  );
}

/**
 * Stores an archive while it arrives, and records its import. The file first, the row last: a row must never claim a file that does not
 * exist. Reading ends where the quota of the project does.
 *
 * @throws FluxError `invalid_request` for what is not an archive, and when other bytes arrived than were sent; `quota_reached`;
 *   `volume_full`, `volume_unusable`; what `requireImporting` throws
 */
export async function requestImport(
  deps: RequestDeps & QuotaDeps,
  project: ProjectRow,
  requester: Actor,
  { bytes, sizeBytes, share, sha256, name, note }: Upload,
  signal: AbortSignal,
): Promise<OperationId> {
  requireImporting(project);
  const allowance = await requireQuota(deps, project, requester, 'backup_import');
  if (sizeBytes !== undefined) takeRoom(share, allowance, sizeBytes);
  const { store, clock } = deps;
  const id = uuidv7(clock.now()) as BackupId;
  const reference = { projectId: project.id, backupId: id };
  const stored = await store.put(artifactKey(reference), examined(within(bytes, share, allowance)), { signal });
  try {
    if (stored.sha256 !== sha256)
      throw new FluxError(
        'invalid_request',
        `The SHA-256 of the ${stored.sizeBytes} bytes that arrived is ${stored.sha256}, not ${sha256}.`,
        {
          hint: 'The file was changed while it was sent: import it again.',
        },
      );
    return await requestOperation(deps, backupImport, async (db, operationId) => {
      await allowance.requireStill(db, stored.sizeBytes);
      const row = newBackup(project, operationId, clock.now(), note ?? null);
      await insertBackup(db, { ...row, id, origin: 'imported', size_bytes: stored.sizeBytes });
      return { project, backupId: id, requester, request: { sha256, name: name === undefined ? null : withoutControls(name) } };
    });
  } catch (error) {
    await deleteArtifact(store, reference).catch((failure) => deps.log.warn({ err: failure, backup: id }, 'an upload was left behind'));
    throw error;
  }
}

/** The same bytes, as long as they fit into what the project may use. @throws FluxError `quota_reached` */
async function* within(bytes: AsyncIterable<Buffer>, share: UploadShare, allowance: Allowance): AsyncGenerator<Buffer, undefined> {
  let total = 0;
  for await (const chunk of bytes) {
    total += chunk.length;
    takeRoom(share, allowance, total);
    yield chunk;
  }
}

function takeRoom(share: UploadShare, allowance: Allowance, total: number): void {
  if (share.take(total, allowance.bytesLeft) === 'does not fit') throw allowance.tooLarge(total);
}

/** The same bytes; what does not begin as an archive is refused before more of it is read. */
async function* examined(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer, undefined> {
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of bytes) {
    if (head === undefined) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < DUMP_HEAD_BYTES) continue;
    requireArchive(head);
    yield head;
    head = undefined;
  }
  if (head === undefined) return;
  requireArchive(head);
  yield head;
}

function requireArchive(head: Buffer): void {
  const refused = refuseDumpFile(head.subarray(0, DUMP_HEAD_BYTES));
  if (refused !== undefined)
    throw new FluxError('invalid_request', `The file ${refused.what}. Nothing was imported.`, { hint: refused.hint });
}
