import type { Hash } from 'node:crypto';
import { type ByteReader, damagedAt } from './byte-reader.ts';

/** Integers in an archive: a sign byte, then this many bytes, smallest first. Every supported platform writes 4. */
export const INT_BYTES = 4;
/** File offsets in an archive: a flag byte, then this many bytes, smallest first. */
export const OFFSET_BYTES = 8;

/** Takes one byte. @throws FluxError `artifact_invalid` at the end */
export async function readByte(reader: ByteReader, what: string): Promise<number> {
  if (reader.available < 1 && !(await reader.fill(1))) throw damagedAt(reader.position, `it ends where ${what} should be`);
  return reader.takeByte();
}

/** Takes an integer. @throws FluxError `artifact_invalid` at the end, or for a sign byte that is neither 0 nor 1 */
export async function readInt(reader: ByteReader, what: string): Promise<number> {
  if (reader.available < INT_BYTES + 1 && !(await reader.fill(INT_BYTES + 1)))
    throw damagedAt(reader.position, `it ends where ${what} should be`);
  const at = reader.position;
  const bytes = reader.takeBytes(INT_BYTES + 1);
  const sign = bytes[0] as number;
  if (sign > 1) throw damagedAt(at, `${what} has the sign byte ${sign}`);
  const magnitude = bytes.readUInt32LE(1);
  return sign === 1 ? -magnitude : magnitude;
}

/**
 * Takes a text, or null where the archive has none.
 *
 * @param limit the maximum number of bytes; a longer text is damage, so that a flipped length cannot make us allocate memory
 */
export async function readText(reader: ByteReader, what: string, limit: number): Promise<string | null> {
  const at = reader.position;
  const length = await readInt(reader, `the length of ${what}`);
  if (length < 0) return null;
  if (length > limit) throw damagedAt(at, `${what} claims to be ${length} bytes long`);
  if (!(await reader.fill(length))) throw damagedAt(reader.position, `it ends inside ${what}`);
  return reader.takeBytes(length).toString('utf8');
}

/** Skips a text, which may be long (the body of a function). */
export async function skipText(reader: ByteReader, what: string): Promise<void> {
  const length = await readInt(reader, `the length of ${what}`);
  if (length > 0) await reader.skip(length);
}

/** Hashes a text, which may be long, without keeping it. @throws FluxError `artifact_invalid` at the end */
export async function hashText(reader: ByteReader, hash: Hash, what: string): Promise<void> {
  let left = await readInt(reader, `the length of ${what}`);
  while (left > 0) {
    if (reader.available === 0 && !(await reader.fill(1))) throw damagedAt(reader.position, `it ends inside ${what}`);
    const piece = reader.takeBytes(Math.min(left, reader.available));
    hash.update(piece);
    left -= piece.length;
  }
}
