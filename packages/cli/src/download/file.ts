import { createHash, type Hash } from 'node:crypto';
import { access, constants, type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { displaySafe } from '@flux/contract/display';
import { FluxError } from '@flux/contract/errors';
import { type ArtifactIdentity, type ArtifactSink, type FetchOptions, fetchArtifact } from './source.ts';

/** How often received bytes are synced to the disk. */
const SYNC_EVERY_BYTES = 16 * 2 ** 20;

/** Size of the partial file of an interrupted download, 0 without one. */
export async function sizeOfPartial(path: string): Promise<number> {
  return (await stat(partialOf(path)).catch(() => null))?.size ?? 0;
}

/** Path of the bytes until they are checked. */
export function partialOf(path: string): string {
  return `${path}.partial`;
}

/**
 * Checks before any request that a download can be written under this name.
 *
 * @returns the full path
 * @throws FluxError `local_file`
 */
export async function checkTarget(path: string): Promise<string> {
  const full = resolve(path);
  const folder = dirname(full);
  const folderInfo = await stat(folder).catch(() => null);
  if (folderInfo?.isDirectory() !== true) {
    throw new FluxError('local_file', `There is no folder ${folder}, so ${basename(full)} cannot be written there.`, {
      hint: `Create it first: mkdir -p ${displaySafe(folder)}`,
    });
  }
  const info = await stat(full).catch(() => null);
  if (info?.isDirectory() === true)
    throw new FluxError('local_file', `${full} is a folder.`, { hint: `Name a file: -o ${displaySafe(full)}/backup.dump` });
  // A rename would replace a device or a pipe with a file.
  if (info !== null && !info.isFile())
    throw new FluxError('local_file', `${full} is not a regular file.`, { hint: 'Use `-o -` to write to standard output.' });
  try {
    await access(folder, constants.W_OK);
  } catch (cause) {
    throw new FluxError('local_file', `Nothing can be written into ${folder}.`, { hint: 'Check its permissions.', cause });
  }
  return full;
}

/**
 * Downloads an artifact to a file. The final name appears only over bytes whose length and SHA-256 are right, so that a good
 * file under that name is never lost to a bad download.
 *
 * @throws FluxError `download_failed` when the digest differs (the partial file is removed then); `local_file`
 */
export async function downloadToFile(path: string, options: FetchOptions): Promise<ArtifactIdentity> {
  const partial = partialOf(path);
  const sink = await openPartial(partial, options.known);
  try {
    const resumed = sink.length > 0;
    let identity = await fetchArtifact(sink, options);
    if (sink.digest() !== identity.sha256 && resumed) {
      // The old part may be the damaged one: once more, without it.
      await sink.restart();
      identity = await fetchArtifact(sink, { ...options, known: null });
    }
    if (sink.digest() !== identity.sha256) {
      await rm(partial, { force: true });
      throw new FluxError(
        'download_failed',
        `The bytes that arrived are not the artifact: SHA-256 ${sink.digest()}, expected ${identity.sha256}.`,
        {
          hint: 'The file was removed. Try again; if it happens again, run `flux backup verify` on this backup.',
        },
      );
    }
    await sink.publish(path);
    return identity;
  } finally {
    await sink.close();
  }
}

interface PartialFile extends ArtifactSink {
  digest(): string;
  publish(path: string): Promise<void>;
  close(): Promise<void>;
}

async function openPartial(partial: string, known: ArtifactIdentity | null): Promise<PartialFile> {
  const file = await local(partial, () => open(partial, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600));
  let length = 0;
  let hash: Hash = createHash('sha256');
  const syncing = { from: 0, done: Promise.resolve<unknown>(undefined) };
  try {
    await local(partial, () => file.chmod(0o600));
    if (known === null || (await file.stat()).size > known.sizeBytes) await file.truncate(0);
    else length = await digestOf(file, hash);
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    get length() {
      return length;
    },
    async write(chunk) {
      const writing = local(partial, async () => {
        for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at, chunk.length - at, length + at)).bytesWritten;
      });
      // The digest is computed while the bytes are on their way to the file.
      hash.update(chunk);
      await writing;
      length += chunk.length;
      if (length - syncing.from < SYNC_EVERY_BYTES) return;
      // Bytes that are synced meanwhile need no wait at the end. The kernel reports an error only once, so it must not get lost.
      syncing.from = length;
      syncing.done = syncing.done.then(() => file.datasync());
      syncing.done.catch(() => undefined);
    },
    async restart() {
      syncing.from = 0;
      await local(partial, () => file.truncate(0));
      hash = createHash('sha256');
      length = 0;
    },
    digest: () => hash.copy().digest('hex'),
    async publish(path) {
      // The bytes first, then the name: the other order can leave a good name on top of bytes that a crash lost.
      await local(partial, () => syncing.done);
      await local(partial, () => file.sync());
      await local(path, () => rename(partial, path));
    },
    async close() {
      await syncing.done.catch(() => undefined);
      await file.close();
    },
  };
}

async function digestOf(file: FileHandle, hash: Hash): Promise<number> {
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  for (let length = 0; ; ) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, length);
    if (bytesRead === 0) return length;
    hash.update(buffer.subarray(0, bytesRead));
    length += bytesRead;
  }
}

async function local<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const hint =
      code === 'ENOSPC' || code === 'EDQUOT'
        ? 'Free some space and run the same command again: it resumes where it stopped.'
        : 'Check the folder.';
    throw new FluxError('local_file', `${path} cannot be written (${code ?? 'unknown reason'}).`, { hint, cause });
  }
}
