import { isFluxError } from '@flux/contract/errors';
import { type ByteReader, createByteReader, damagedAt, readFileInChunks } from './byte-reader.ts';
import { readByte, readInt } from './primitives.ts';
import { type ArchiveEntry, type ArchiveToc, readToc } from './toc.ts';

/** The result of walking through a whole archive. */
export interface ArchiveSummary extends ArchiveToc {
  readonly sizeBytes: number;
  /** Schemas that entries belong to, each once, in order of appearance. */
  readonly schemas: readonly string[];
  /** Tables, without foreign tables and views. */
  readonly tables: number;
  /** Entries of kind TABLE DATA. */
  readonly tableData: number;
  readonly largeObjects: number;
  /** Bytes of the data blocks as they are stored, that is compressed. */
  readonly dataBytes: number;
}

export interface WalkOptions {
  /** Bytes read so far. */
  readonly onBytes?: ((total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const BLOCK_DATA = 1;
const BLOCK_LARGE_OBJECTS = 3;

/**
 * Walks a custom-format archive from its first byte to its last and checks its complete structure: header, table of
 * contents, one chain of data blocks for each entry that has data, in the order of the table of contents, and nothing after
 * it. A truncated file, or one with anything after its end, is detected. Damage inside compressed data is not: the SHA-256 detects that.
 * Memory is bounded, whatever the bytes claim.
 *
 * @throws FluxError `artifact_invalid` with `details.byte`; `artifact_gone`, `volume_unusable`
 */
export async function walkArchive(path: string, options: WalkOptions = {}): Promise<ArchiveSummary> {
  const chunks = readFileInChunks(path, options.signal);
  try {
    return await walkChunks(chunks, options.onBytes);
  } finally {
    await chunks.return(undefined);
  }
}

/** The same for a stream of bytes, for example from pg_dump to the disk. Reads all of it, unless it is damaged. */
export async function walkArchiveStream(bytes: AsyncIterable<Buffer>, options: WalkOptions = {}): Promise<ArchiveSummary> {
  return await walkChunks(bytes[Symbol.asyncIterator](), options.onBytes);
}

async function walkChunks(chunks: AsyncIterator<Buffer>, onBytes?: (total: number) => void): Promise<ArchiveSummary> {
  const reader = createByteReader(chunks, onBytes);
  const toc = await readToc(reader);
  let dataBytes = 0;
  let largeObjects = 0;
  for (const entry of toc.entries) {
    if (!entry.hasData) continue;
    await enterBlock(reader, entry);
    if (entry.kind === 'BLOBS') {
      for (let oid = await readInt(reader, 'a large object'); oid !== 0; oid = await readInt(reader, 'a large object')) {
        dataBytes += await passData(reader);
        largeObjects++;
      }
    } else dataBytes += await passData(reader);
  }
  if (reader.available > 0 || (await reader.fill(1))) throw damagedAt(reader.position, 'something follows where it should end');
  const schemas = new Set<string>();
  for (const { schema } of toc.entries) if (schema !== null) schemas.add(schema);
  return {
    ...toc,
    sizeBytes: reader.position,
    schemas: [...schemas],
    tables: toc.entries.filter(({ kind }) => kind === 'TABLE').length,
    tableData: toc.entries.filter(({ kind }) => kind === 'TABLE DATA').length,
    largeObjects,
    dataBytes,
  };
}

async function enterBlock(reader: ByteReader, entry: ArchiveEntry): Promise<void> {
  const at = reader.position;
  if (entry.dataOffset !== undefined && entry.dataOffset !== at)
    throw damagedAt(at, `the data of entry ${entry.dumpId} should begin at byte ${entry.dataOffset}`);
  const type = await readByte(reader, `the data of entry ${entry.dumpId}`);
  const expected = entry.kind === 'BLOBS' ? BLOCK_LARGE_OBJECTS : BLOCK_DATA;
  if (type !== expected) throw damagedAt(at, `a block of data has the type ${type} instead of ${expected}`);
  const id = await readInt(reader, 'the number of a block of data');
  if (id !== entry.dumpId) throw damagedAt(at, `a block of data belongs to entry ${id} instead of ${entry.dumpId}`);
}

/** Skips one chain of `length, bytes` that a length of 0 ends; returns how many bytes it contained. */
async function passData(reader: ByteReader): Promise<number> {
  let total = 0;
  for (;;) {
    const at = reader.position;
    const length = await readInt(reader, 'the length of a piece of data');
    if (length === 0) return total;
    if (length < 0) throw damagedAt(at, `a piece of data has the length ${length}`);
    await reader.skip(length);
    total += length;
  }
}

/** Walks every block of an archive. Resolves with the damage, or undefined; bytes after the damage are not read. */
export async function findArchiveDamage(bytes: AsyncIterable<Buffer>): Promise<string | undefined> {
  try {
    await walkArchiveStream(bytes);
    return undefined;
  } catch (error) {
    if (isFluxError(error, 'artifact_invalid')) return error.message;
    throw error;
  }
}
