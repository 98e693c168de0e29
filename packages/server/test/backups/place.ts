import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { BackupId, ProjectHash, ProjectId, UserId } from '@flux/contract/ids';
import { backupKindOf } from '@flux/contract/labels';
import type { ReadingDeps } from '../../src/backups/reading.ts';
import { artifactKey, manifestKey } from '../../src/blobs/artifact-keys.ts';
import { createVolumeStore } from '../../src/blobs/volume.ts';
import { type BackupRow, findBackupById, insertBackup, insertManifest, updateBackup } from '../../src/catalog/backups.ts';
import { insertCopy } from '../../src/catalog/copies.ts';
import { type Catalog, openCatalog } from '../../src/catalog/open.ts';
import { insertProject, type ProjectRow } from '../../src/catalog/projects.ts';
import { ensureUser } from '../../src/catalog/tokens.ts';
import { systemClock } from '../../src/system/clock.ts';
import { startCluster } from '../postgres/cluster.ts';

const MANIFEST = new URL('../fixtures/manifest-1/everything.manifest.json', import.meta.url).pathname;

/** A real catalog and a real backup volume, with rows and files that a test makes as it likes. */
export interface BackupPlace extends AsyncDisposable {
  readonly catalog: Catalog;
  readonly folder: string;
  readonly deps: ReadingDeps;
  newProject(): Promise<ProjectRow>;
  /** A backup whose artifact was written and validated, or one that failed. */
  addBackup(project: ProjectRow, status: 'complete' | 'failed'): Promise<AddedBackup>;
  /** Records a verification that succeeded, as it is recorded after a restore. */
  verify(id: BackupId): Promise<void>;
  rowOf(id: BackupId): Promise<BackupRow>;
}

/** Paths of the files of a backup; one that failed has none. */
interface AddedBackup {
  readonly id: BackupId;
  readonly path: string;
  readonly manifest: string;
}

/** Work that nobody can take over: it runs outside of any operation. */
export const unrivalled = { isInherited: false, requireHeld: async () => undefined };

export const nobody = { userId: null, tokenId: null, name: 'test' };

export async function openBackupPlace(): Promise<BackupPlace> {
  const cluster = await startCluster();
  const folder = mkdtempSync(join(tmpdir(), 'flux-backups-'));
  const { host, port, user, database } = await cluster.createDatabase('backups');
  const catalog = await openCatalog({ host, port, user, database }, () => undefined);
  const owner = await ensureUser(catalog.db, randomUUID() as UserId, 'test');
  let projects = 0;
  const rowOf = async (id: BackupId) => {
    const row = await findBackupById(catalog.db, id);
    if (row === undefined) throw new Error('a row has vanished');
    return row;
  };
  const addManifest = async (id: BackupId) => {
    const text = readFileSync(MANIFEST, 'utf8');
    const sha256 = createHash('sha256').update(text).digest('hex');
    await insertManifest(catalog.db, id, sha256, text);
    const { project_id } = await updateBackup(catalog.db, id, { manifest_sha256: sha256 });
    writeFileSync(join(folder, manifestKey({ projectId: project_id, backupId: id })), text);
  };
  return {
    catalog,
    folder,
    deps: { catalog, store: createVolumeStore({ root: folder, workerId: () => randomUUID() }), clock: systemClock },
    newProject: async () => {
      const id = randomUUID() as ProjectId;
      projects += 1;
      return insertProject(catalog.db, {
        id,
        owner_id: owner,
        slug: `p${id.replaceAll('-', '')}`,
        hash: projects.toString(16).padStart(7, '0') as ProjectHash,
        engine: 'v1_dedicated',
        lifecycle: 'active',
        sealed_secrets: Buffer.from('none'),
        worker_id: null,
      });
    },
    addBackup: async (project, status) => {
      const id = randomUUID() as BackupId;
      const path = join(folder, project.id, `${id}.dump`);
      const { engine } = project;
      await insertBackup(catalog.db, {
        id,
        project_id: project.id,
        kind: backupKindOf(engine),
        engine,
        status: 'running',
        note: null,
        created_at: new Date(),
      });
      if (status === 'failed') await updateBackup(catalog.db, id, { status, failure: 'test' });
      else {
        const bytes = `artifact ${id}`;
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, bytes);
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        const now = new Date();
        await updateBackup(catalog.db, id, {
          status,
          completed_at: now,
          size_bytes: bytes.length,
          sha256,
          manifest_sha256: sha256,
          artifact_validation: 'artifact_valid',
          artifact_validated_at: now,
        });
        await insertCopy(catalog.db, {
          backup_id: id,
          store: 'local',
          key: artifactKey({ projectId: project.id, backupId: id }),
          stored_size_bytes: bytes.length,
          stored_sha256: sha256,
          state: 'present',
          created_at: now,
        });
        await addManifest(id);
      }
      return { id, path, manifest: join(folder, manifestKey({ projectId: project.id, backupId: id })) };
    },
    verify: async (id) => {
      const now = new Date();
      await updateBackup(catalog.db, id, {
        restore_verification: 'restore_verified',
        restore_verified_at: now,
        restore_verification_error: null,
        verified_sha256: (await rowOf(id)).sha256,
        artifact_validation: 'artifact_valid',
        artifact_validated_at: now,
        artifact_validation_error: null,
      });
    },
    rowOf,
    [Symbol.asyncDispose]: async () => {
      await catalog.close();
      await cluster[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Changes every byte and no length; a second time it puts them back. */
export function flip(path: string): void {
  writeFileSync(
    path,
    readFileSync(path).map((byte) => byte ^ 1),
  );
}

/** SHA-256 of a file, null when it is not there. */
export function sha256Of(path: string): string | null {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch {
    return null;
  }
}
