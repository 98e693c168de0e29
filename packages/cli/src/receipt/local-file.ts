import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { FluxError } from '@flux/contract/errors';
import type { Evidence } from './check-envelope.ts';

/** A receipt is a few kilobytes; a larger file was given by mistake. */
const RECEIPT_LIMIT_BYTES = 4 * 2 ** 20;

/** Text of a receipt. @throws FluxError `local_file`; `usage` when the file is far too large to be one */
export async function readReceipt(path: string): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  await eachChunk(path, (chunk) => {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > RECEIPT_LIMIT_BYTES) {
      throw new FluxError('usage', `${path} is too large to be a receipt.`, { hint: 'An artifact is given with --artifact.' });
    }
  });
  return text + decoder.decode();
}

/** SHA-256 of a file of any size. @throws FluxError `local_file` */
export async function digestFile(path: string): Promise<Evidence> {
  const hash = createHash('sha256');
  await eachChunk(path, (chunk) => hash.update(chunk));
  return { path, sha256: hash.digest('hex') };
}

async function eachChunk(path: string, take: (chunk: Buffer) => void): Promise<void> {
  try {
    if ((await stat(path)).isDirectory()) throw new FluxError('local_file', `${path} is a folder.`, { hint: 'Name a file.' });
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) take(chunk as Buffer);
  } catch (cause) {
    if (cause instanceof FluxError) throw cause;
    throw new FluxError('local_file', `${path} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown reason'}).`, {
      hint: 'Check the path.',
      cause,
    });
  }
}
