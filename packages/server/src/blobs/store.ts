import { FluxError } from '@flux/contract/errors';

/** The result of writing a blob. */
export interface StoredBlob {
  readonly sizeBytes: number;
  /** Lowercase hex digest of the stored bytes, which differ from the content when a store encrypts or compresses. */
  readonly sha256: string;
}

/** A blob in a listing. */
export interface BlobEntry {
  readonly key: string;
  readonly sizeBytes: number;
}

/** Part of a blob. Both offsets are inclusive and count from 0, as in an HTTP range. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The bytes of a blob in order. A piece is valid only until the one after the next is asked for: stores reuse their buffers.
 *
 * `return` releases the resources of the store; a caller that does not read to the end MUST call it.
 */
export interface BlobPieces extends AsyncIterableIterator<Buffer, undefined> {
  return(): Promise<IteratorResult<Buffer, undefined>>;
}

export interface PutOptions {
  readonly signal: AbortSignal;
  /** Called from time to time with the number of bytes taken so far. */
  readonly onBytes?: ((total: number) => void) | undefined;
}

export interface GetOptions {
  readonly signal: AbortSignal;
  /** Absent for the whole blob. */
  readonly range?: ByteRange | undefined;
}

/**
 * Storage for bytes: a folder, or an object store on another machine. Nothing here assumes a path; tools that need a file get one
 * from a `Workspace`. `test/conformance/blob-store.ts` checks every sentence below for each implementation.
 *
 * All calls:
 * - MUST refuse a key that `requireBlobKey` refuses, before anything else happens;
 * - MUST reject with the reason of their signal soon after it aborts, even while they wait for a source that yields nothing;
 * - MUST throw a FluxError: `artifact_gone` when there is no such blob, `volume_full` when space or quota ran out,
 *   `volume_unusable` for any other failure of the store. Errors of a source pass through unchanged. No message contains a path.
 */
export interface BlobStore {
  /** Name of this store in the table `copies`. */
  readonly name: string;
  /**
   * Whether one `stat` per row of a list is acceptable. A store that needs a network request for each is `expensive`; lists then use
   * the state last recorded in the catalog.
   */
  readonly statCost: 'cheap' | 'expensive';

  /**
   * Stores what the source yields under the key, and hashes it on the way.
   *
   * - MUST NOT resolve before the bytes **and their name** survive a power cut: the caller next records a backup that relies on it.
   * - MUST NOT show anything under the key before all bytes are durable. Until then `get`, `stat` and `list` answer as if the put had
   *   not begun: with the previous blob of the key, or with none.
   * - MUST NOT show anything when the source fails or the signal aborts, and MUST leave nothing behind then.
   * - MUST replace a previous blob of the key atomically. Of two concurrent puts of one key both succeed, and one of them is stored, complete.
   * - MUST close the source when it stops early.
   *
   * The end of the source is the permission to publish: a caller that learns only after the last byte whether the bytes are good must
   * not end the source before that (see `putConfirmed`).
   */
  put(key: string, source: AsyncIterable<Buffer>, options: PutOptions): Promise<StoredBlob>;

  /**
   * Opens a blob, or part of one, for reading.
   *
   * - An `end` beyond the last byte means the last byte. MUST throw `range_not_satisfiable` for a `start` beyond it.
   * - When the blob is deleted or replaced meanwhile, a reader that has begun MUST continue with the blob that it began with, or throw;
   *   it MUST NOT end early without an error, and MUST NOT mix two blobs.
   * - It MAY yield fewer bytes than `stat` reported when the store itself was damaged; callers compare size and digest with the catalog.
   */
  get(key: string, options: GetOptions): Promise<BlobPieces>;

  /**
   * Size of a blob, undefined when there is none. Does not read the content.
   *
   * MUST throw `volume_unusable` when the store itself is missing: an unmounted volume must not look like deleted blobs.
   */
  stat(key: string, signal: AbortSignal): Promise<{ readonly sizeBytes: number } | undefined>;

  /** Deletes a blob. MUST succeed when there is none. When it resolves, no later call sees the blob. */
  delete(key: string, signal: AbortSignal): Promise<void>;

  /** Every blob whose key begins with the prefix, in any order. MUST NOT yield drafts. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<BlobEntry>;

  /**
   * Removes the incomplete drafts of killed workers.
   *
   * - MUST NOT touch the draft of a worker for which `isAlive` returns true, on whichever server it runs: several servers may share a store.
   * - A put whose draft was removed MUST reject. Its worker has lost its lease, so its work is over anyway.
   * - A draft that cannot be removed MUST NOT prevent the removal of the others.
   *
   * @throws AggregateError with one error for each draft that could not be removed
   */
  sweepDrafts(isAlive: (workerId: string) => Promise<boolean>, signal: AbortSignal): Promise<void>;
}

const MAX_SEGMENTS = 4;
const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const PREFIX_SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/**
 * Refuses a key that some store could misinterpret: a parent folder, a hidden name, an absolute path. Keys are one to
 * four segments of ASCII letters, digits, `.`, `_` and `-`, joined by `/`; a segment begins with a letter or a digit.
 *
 * @throws FluxError `internal`: keys are built by Flux, never taken from a request
 */
export function requireBlobKey(key: string): void {
  const segments = key.split('/');
  if (segments.length <= MAX_SEGMENTS && segments.every((segment) => SEGMENT.test(segment))) return;
  throw new FluxError('internal', `${JSON.stringify(key)} is not a valid key of a blob.`);
}

/** The same for a prefix of keys, which may be empty or end with `/`. @throws FluxError `internal` */
export function requireBlobPrefix(prefix: string): void {
  const segments = prefix.split('/');
  // Empty: nothing, or the text behind the last `/`.
  if (segments.at(-1) === '') segments.pop();
  if (segments.every((segment) => PREFIX_SEGMENT.test(segment))) return;
  throw new FluxError('internal', `${JSON.stringify(prefix)} is not a valid prefix of keys of blobs.`);
}

/** Where a range begins and ends in a blob of this size; `end` is exclusive here. @throws FluxError `range_not_satisfiable` */
export function resolveRange(range: ByteRange | undefined, sizeBytes: number): { readonly start: number; readonly end: number } {
  if (range === undefined) return { start: 0, end: sizeBytes };
  if (range.start < sizeBytes && range.start <= range.end && range.start >= 0)
    return { start: range.start, end: Math.min(range.end + 1, sizeBytes) };
  throw new FluxError('range_not_satisfiable', `Bytes ${range.start} to ${range.end} are not within the ${sizeBytes} bytes of the blob.`);
}

/** The error for a missing blob. */
export function blobGone(key: string, cause?: unknown): FluxError {
  return new FluxError('artifact_gone', `The file ${key} is not in the backup store.`, {
    hint: 'If the backup volume was unmounted, mount it again; otherwise create a new backup with `flux backup create`.',
    cause,
  });
}
