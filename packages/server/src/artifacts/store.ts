import type { Readable } from 'node:stream';
import type { BackupId, ProjectId } from '@flux/contract/ids';
import type { ArtifactPieces } from './read-pieces.ts';

/** Names an artifact; the layout is `<projectId>/<backupId>.dump`. */
export interface ArtifactKey {
  readonly projectId: ProjectId;
  readonly backupId: BackupId;
}

/** A durable artifact. */
export interface Artifact {
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Below the store's root, for admins: `<projectId>/<backupId>.dump`. */
  readonly relativePath: string;
}

/** An artifact that is being written. Until `publish` it is a hidden temporary file; disposing of it before removes it. */
export interface ArtifactDraft extends AsyncDisposable {
  /**
   * Takes the bytes, hashing them on the way, and resolves when all have been handed to the file system.
   *
   * @throws FluxError `volume_full`, `volume_unusable`
   */
  write(bytes: Readable, onBytes?: (total: number) => void): Promise<{ readonly sizeBytes: number; readonly sha256: string }>;
  /** Where the temporary file is, for a tool that must read it before it is published. */
  readonly path: string;
  /**
   * Makes the artifact and its manifest durable under their final names, the artifact last: fsync, rename, fsync of the
   * folder. MUST be called only after the dump is known to have succeeded.
   */
  publish(manifest: string): Promise<Artifact>;
}

/** Where backup files live. MUST NOT show a file under its final name before its bytes are durable. */
export interface ArtifactStore {
  /** @throws FluxError `volume_unusable`, `volume_full` */
  create(key: ArtifactKey): Promise<ArtifactDraft>;
  /** Size of the artifact, undefined when its file is not there. Cheap: reads no content. @throws FluxError `volume_unusable`, also when the store itself is not there */
  stat(key: ArtifactKey): Promise<{ readonly sizeBytes: number } | undefined>;
  /**
   * Opens the artifact for reading. `start` and `end` are inclusive byte offsets. Pieces are up to 1 MiB long, and a piece is
   * valid only until the one after the next is asked for.
   *
   * @throws FluxError `artifact_gone`, `volume_unusable`
   */
  read(key: ArtifactKey, range?: { readonly start: number; readonly end: number }): Promise<ArtifactPieces>;
  /** A path on this machine that tools can seek in. @throws FluxError `artifact_gone` */
  localPath(key: ArtifactKey): Promise<string>;
  /** The manifest beside the artifact, undefined when it is not there. */
  readManifest(key: ArtifactKey): Promise<string | undefined>;
  /** Removes artifact and manifest; nothing happens when they are not there. */
  remove(key: ArtifactKey): Promise<void>;
  /** Removes temporary files that a killed process left. Call only while nothing is being written. */
  sweep(): Promise<void>;
}
