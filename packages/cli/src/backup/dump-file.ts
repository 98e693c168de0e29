import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { displaySafe } from '@flux/contract/display';
import { DUMP_HEAD_BYTES, REFUSED_FOLDER, type RefusedFile, refuseDumpFile } from '@flux/contract/dump-file';
import { FluxError } from '@flux/contract/errors';

/** Called with the bytes read so far, and how many there are. */
type OnBytes = (done: number, total: number) => void;

/** An archive on this machine. */
export interface DumpFile {
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Its bytes, from the first. @throws FluxError `local_file` when it cannot be read, or has another size by now */
  read(onBytes: OnBytes): AsyncIterable<Uint8Array>;
}

/**
 * Hashes an archive, after a look at what it is: what is not an archive is not sent.
 *
 * @throws FluxError `local_file`, `usage` for standard input
 */
export async function openDumpFile(path: string, onBytes: OnBytes): Promise<DumpFile> {
  if (path === '-')
    throw new FluxError('usage', 'An archive cannot be imported from standard input, because it is read twice.', {
      hint: 'Save it to a file first: `pg_dump -Fc -f shop.dump ...`.',
    });
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw unreadable(path, error);
  });
  if (info.isDirectory()) throw refused(path, REFUSED_FOLDER);
  const problem = refuseDumpFile(await readHead(path));
  if (problem !== undefined) throw refused(path, problem);
  const sizeBytes = info.size;
  const hash = createHash('sha256');
  for await (const chunk of readAll(path, sizeBytes, onBytes)) hash.update(chunk);
  return { sizeBytes, sha256: hash.digest('hex'), read: (onSent) => readAll(path, sizeBytes, onSent) };
}

async function readHead(path: string): Promise<Uint8Array> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(DUMP_HEAD_BYTES), 0, DUMP_HEAD_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw unreadable(path, error as NodeJS.ErrnoException);
  }
}

const CHUNK_BYTES = 2 ** 20;

async function* readAll(path: string, sizeBytes: number, onBytes: OnBytes): AsyncGenerator<Uint8Array> {
  let done = 0;
  const stream = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  try {
    for await (const chunk of stream) {
      done += (chunk as Buffer).length;
      if (done > sizeBytes) break;
      yield chunk as Buffer;
      onBytes(done, sizeBytes);
    }
  } catch (error) {
    throw unreadable(path, error as NodeJS.ErrnoException);
  }
  if (done === sizeBytes) return;
  throw new FluxError('local_file', `${path} was changed while it was read: it had ${sizeBytes} bytes.`, {
    hint: 'Wait until it is complete, and run the command again.',
  });
}

function refused(path: string, { what, hint }: RefusedFile): FluxError {
  return new FluxError('local_file', `${path} ${what}. Nothing was imported.`, { hint: hint.replaceAll('<file>', displaySafe(path)) });
}

function unreadable(path: string, error: NodeJS.ErrnoException): FluxError {
  const reason = error.code === 'ENOENT' ? 'there is no such file' : error.code === 'EACCES' ? 'it may not be read' : error.message;
  return new FluxError('local_file', `${path} cannot be read: ${reason}.`, { hint: 'Check the path.', cause: error });
}
