import { createHash } from 'node:crypto';
import type { ProjectHash, ProjectId } from '@flux/contract/ids';
import { backupKindOf } from '@flux/contract/labels';
import { boundLeftOut } from '../../backups/left-out.ts';
import { artifactKey, type BackupReference, manifestKey } from '../../blobs/artifact-keys.ts';
import { recordAudit } from '../../catalog/audit.ts';
import { insertBackup, insertManifest, updateBackup } from '../../catalog/backups.ts';
import { insertCopy } from '../../catalog/copies.ts';
import { parseManifest } from '../../postgres/manifest/schema.ts';
import { timeOfUuidv7 } from '../../system/uuid.ts';
import { type Adoption, NOBODY, type ReconcileDeps } from './adoption.ts';
import { ensureProject, type ProjectName } from './removed-project.ts';

/** An artifact in the store that the catalog has no row for, or one that says that it is not complete. */
export async function examineBackup(
  deps: ReconcileDeps,
  reference: BackupReference,
  project: ProjectName,
  catalogSays: 'nothing' | 'unfinished',
): Promise<Adoption> {
  const { catalog, store } = deps;
  const { backupId, projectId } = reference;
  const name = `Backup ${backupId} of ${project.slug} (${project.hash})`;
  const text = (await readBlob(deps, manifestKey(reference)).catch(() => undefined))?.toString('utf8');
  const manifest = text === undefined ? undefined : tryParse(text);
  if (text === undefined || manifest === undefined)
    return {
      found: `${name} is in the store without a manifest that can be read; it is left alone. \`flux backup import\` takes its file.`,
    };
  return {
    id: `backup ${backupId}`,
    found: `${name}, taken at ${manifest.takenAt}, is in the store; the catalog ${catalogSays === 'nothing' ? 'does not know it' : 'says that it is unfinished'}.`,
    apply: async () => {
      const key = artifactKey(reference);
      const { sha256, sizeBytes } = await hashBlob(deps, key);
      const manifestSha256 = createHash('sha256').update(text).digest('hex');
      const createdAt = timeOfUuidv7(backupId);
      const engine = manifest.backupKind === 'project_db' ? 'v1_dedicated' : 'v2_shared';
      const now = deps.clock.now();
      await catalog.db.transaction().execute(async (db) => {
        await ensureProject(db, deps, { ...project, id: projectId, engine });
        const content = {
          status: 'complete',
          completed_at: now,
          size_bytes: sizeBytes,
          sha256,
          manifest_sha256: manifestSha256,
          postgres_version: manifest.server.version,
          tables_total: manifest.tables.length,
          rows_total: manifest.tables.reduce((sum, table) => sum + table.rows, 0),
          left_out: JSON.stringify(boundLeftOut(manifest.leftOut)),
        } as const;
        if (catalogSays === 'unfinished') await updateBackup(db, backupId, content);
        else
          await insertBackup(db, {
            id: backupId,
            project_id: projectId,
            kind: backupKindOf(engine),
            engine,
            note: null,
            origin: manifest.madeFrom === 'archive' ? 'imported' : 'requested',
            created_at: createdAt,
            ...content,
          });
        await insertManifest(db, backupId, manifestSha256, text);
        await insertCopy(db, {
          backup_id: backupId,
          store: store.name,
          key,
          stored_size_bytes: sizeBytes,
          stored_sha256: sha256,
          state: 'present',
          created_at: now,
        });
        await recordAudit(db, NOBODY, { action: 'backup.adopted', projectId, subject: backupId, details: { sha256 } });
      });
    },
  };
}

/** The name of a project that nothing names: a slug that tells where it comes from, and the first digits of its id. */
export function nameOfUnknown(id: ProjectId): ProjectName {
  return { slug: `recovered-${id.slice(0, 8)}`, hash: id.replaceAll('-', '').slice(0, 7) as ProjectHash };
}

function tryParse(text: string): ReturnType<typeof parseManifest> | undefined {
  try {
    return parseManifest(text);
  } catch {
    return undefined;
  }
}

/** A small blob. @throws FluxError `artifact_gone` */
export async function readBlob({ store }: Pick<ReconcileDeps, 'store'>, key: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of await store.get(key, { signal: new AbortController().signal })) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

async function hashBlob({ store }: ReconcileDeps, key: string): Promise<{ readonly sha256: string; readonly sizeBytes: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const piece of await store.get(key, { signal: new AbortController().signal })) {
    hash.update(piece);
    sizeBytes += piece.length;
  }
  return { sha256: hash.digest('hex'), sizeBytes };
}
