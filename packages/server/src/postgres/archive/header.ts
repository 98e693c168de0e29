import { type ByteReader, damagedAt } from './byte-reader.ts';
import { INT_BYTES, OFFSET_BYTES, readByte, readInt, readText } from './primitives.ts';

/** The header of a custom-format archive. */
export interface ArchiveHeader {
  /** Version of the archive format, `1.14` (pg_dump 12 to 15), `1.15` (16) or `1.16` (17 and 18). */
  readonly formatVersion: string;
  readonly compression: 'none' | 'gzip' | 'lz4' | 'zstd';
  /** When pg_dump started, in the local time of its machine; the format has no time zone. */
  readonly createdAtLocal: string;
  readonly database: string;
  /** Version of the server that was dumped. */
  readonly serverVersion: string;
  /** Version of pg_dump. */
  readonly dumpVersion: string;
}

const MAGIC = 'PGDMP';
const FORMAT_CUSTOM = 1;
const ALGORITHMS = ['none', 'gzip', 'lz4', 'zstd'] as const;
const MAX_HEADER_TEXT = 4096;

/**
 * Reads the header. The layout is that of `WriteHead` in src/bin/pg_dump/pg_backup_archiver.c of Postgres.
 *
 * @returns the header, and its minor version as a number
 * @throws FluxError `artifact_invalid`
 */
export async function readHeader(reader: ByteReader): Promise<{ header: ArchiveHeader; minor: number }> {
  if (!(await reader.fill(MAGIC.length))) throw damagedAt(reader.position, 'it is too short to be an archive');
  if (reader.takeBytes(MAGIC.length).toString('latin1') !== MAGIC)
    throw damagedAt(0, 'it does not begin as a custom-format archive of pg_dump');
  const major = await readByte(reader, 'the version');
  const minor = await readByte(reader, 'the version');
  const revision = await readByte(reader, 'the version');
  if (major !== 1 || minor < 14 || minor > 16 || revision > 9)
    throw damagedAt(5, `version ${major}.${minor}.${revision} of the format is not one that pg_dump 12 to 18 writes`);
  await expectByte(reader, INT_BYTES, 'the size of integers');
  await expectByte(reader, OFFSET_BYTES, 'the size of offsets');
  await expectByte(reader, FORMAT_CUSTOM, 'the format');
  const compression = minor >= 15 ? await readAlgorithm(reader) : await readLevel(reader);
  const createdAtLocal = await readDate(reader);
  const database = await readHeaderText(reader, 'the name of the database');
  const serverVersion = await readHeaderText(reader, 'the version of the server');
  const dumpVersion = await readHeaderText(reader, 'the version of pg_dump');
  return { header: { formatVersion: `1.${minor}`, compression, createdAtLocal, database, serverVersion, dumpVersion }, minor };
}

async function expectByte(reader: ByteReader, expected: number, what: string): Promise<void> {
  const at = reader.position;
  const found = await readByte(reader, what);
  if (found !== expected) throw damagedAt(at, `${what} is ${found} instead of ${expected}`);
}

async function readAlgorithm(reader: ByteReader): Promise<ArchiveHeader['compression']> {
  const at = reader.position;
  const algorithm = ALGORITHMS[await readByte(reader, 'the compression')];
  if (algorithm === undefined) throw damagedAt(at, 'it names a compression that does not exist');
  return algorithm;
}

/** Before 1.15 only gzip existed and the header has its level: -1 for the default, 0 for no compression. */
async function readLevel(reader: ByteReader): Promise<ArchiveHeader['compression']> {
  const at = reader.position;
  const level = await readInt(reader, 'the compression level');
  if (level < -1 || level > 9) throw damagedAt(at, `the compression level is ${level}`);
  return level === 0 ? 'none' : 'gzip';
}

const DATE_FIELDS = [
  ['second', 0, 61],
  ['minute', 0, 59],
  ['hour', 0, 23],
  ['day', 1, 31],
  ['month', 0, 11],
  ['year', 70, 1100],
  ['daylight saving flag', -1, 1],
] as const;

async function readDate(reader: ByteReader): Promise<string> {
  const parts: number[] = [];
  for (const [name, least, most] of DATE_FIELDS) {
    const at = reader.position;
    const value = await readInt(reader, `the ${name} of the date`);
    if (value < least || value > most) throw damagedAt(at, `the ${name} of the date is ${value}`);
    parts.push(value);
  }
  const [second, minute, hour, day, month, year] = parts as [number, number, number, number, number, number];
  const two = (value: number) => String(value).padStart(2, '0');
  return `${year + 1900}-${two(month + 1)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}`;
}

async function readHeaderText(reader: ByteReader, what: string): Promise<string> {
  const at = reader.position;
  const text = await readText(reader, what, MAX_HEADER_TEXT);
  if (text === null) throw damagedAt(at, `${what} is missing`);
  return text;
}
