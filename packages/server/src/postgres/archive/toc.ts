import { createHash } from 'node:crypto';
import { type ByteReader, createByteReader, damagedAt, readFileInChunks } from './byte-reader.ts';
import { type ArchiveHeader, readHeader } from './header.ts';
import { hashText, OFFSET_BYTES, readByte, readInt, readText, skipText } from './primitives.ts';

/** One entry of the table of contents; of its SQL texts only those of grants are kept, and what a restore of it needs beforehand. */
export interface ArchiveEntry {
  readonly dumpId: number;
  /** TABLE, TABLE DATA, INDEX, SEQUENCE SET, ACL... */
  readonly kind: string;
  /** Name of the object as pg_dump tags it; may contain any character. */
  readonly tag: string;
  /** Schema, null for objects without one. */
  readonly schema: string | null;
  /** The role that owned the object. */
  readonly owner: string;
  /** The statements of an ACL; undefined for every other kind. */
  readonly acl?: string | undefined;
  /** SHA-256, in base64url, of the SQL that defines the object and of the access method, which is written beside it. */
  readonly statementSha256: string;
  /** The statement of a DATABASE, an ENCODING or an EXTENSION; undefined for every other kind. */
  readonly definition?: string | undefined;
  readonly section: 'none' | 'pre-data' | 'data' | 'post-data';
  /** True when a block of data belongs to the entry. */
  readonly hasData: boolean;
  /** Where the block begins, when the archive was written to a seekable file; undefined otherwise. */
  readonly dataOffset?: number | undefined;
}

/** Header and table of contents. */
export interface ArchiveToc {
  readonly header: ArchiveHeader;
  readonly entries: readonly ArchiveEntry[];
}

/** More than a real archive has; larger numbers are damage and must not make us allocate memory. */
const MAX_ENTRIES = 4_000_000;
const MAX_KEPT_TEXT = 256 << 20;
const MAX_NAME = 1 << 20;
const MAX_ACL = 64 << 20;
/** Kinds whose statements are kept. */
const KEPT: ReadonlySet<string> = new Set(['ACL', 'DATABASE', 'ENCODING', 'EXTENSION']);
const SECTIONS = ['none', 'pre-data', 'data', 'post-data'] as const;
const OFFSET_NOT_SET = 1;
const OFFSET_SET = 2;
const OFFSET_NO_DATA = 3;

/**
 * Reads and checks header and table of contents of a file. Proves nothing about the data behind them: see `walkArchive`.
 *
 * @throws FluxError `artifact_invalid` with `details.byte`; `artifact_gone`, `volume_unusable`
 */
export async function readArchiveToc(path: string, signal?: AbortSignal): Promise<ArchiveToc> {
  const chunks = readFileInChunks(path, signal);
  try {
    return await readToc(createByteReader(chunks));
  } finally {
    await chunks.return(undefined);
  }
}

/** Reads header and table of contents and leaves the reader at the first block of data. */
export async function readToc(reader: ByteReader): Promise<ArchiveToc> {
  const { header, minor } = await readHeader(reader);
  const countAt = reader.position;
  const count = await readInt(reader, 'the number of entries');
  if (count < 0 || count > MAX_ENTRIES) throw damagedAt(countAt, `the table of contents claims ${count} entries`);
  const entries: ArchiveEntry[] = [];
  const seen = new Set<number>();
  let kept = 0;
  for (let index = 0; index < count; index++) {
    const at = reader.position;
    const entry = await readEntry(reader, minor);
    if (seen.has(entry.dumpId)) throw damagedAt(at, `entry ${entry.dumpId} occurs twice`);
    seen.add(entry.dumpId);
    kept +=
      entry.tag.length +
      entry.kind.length +
      (entry.schema?.length ?? 0) +
      entry.owner.length +
      (entry.acl ?? entry.definition ?? '').length;
    if (kept > MAX_KEPT_TEXT) throw damagedAt(at, 'the table of contents is larger than any real one');
    entries.push(entry);
  }
  return { header, entries };
}

/** The layout is that of `WriteToc` in src/bin/pg_dump/pg_backup_archiver.c of Postgres. */
async function readEntry(reader: ByteReader, minor: number): Promise<ArchiveEntry> {
  const at = reader.position;
  const dumpId = await readInt(reader, 'the number of an entry');
  if (dumpId <= 0) throw damagedAt(at, `an entry has the number ${dumpId}`);
  const dumper = await readInt(reader, 'the data flag of an entry');
  if (dumper !== 0 && dumper !== 1) throw damagedAt(at, `entry ${dumpId} has the data flag ${dumper}`);
  await readDigits(reader, 'a catalog number');
  await readDigits(reader, 'an object number');
  const tag = (await readText(reader, 'the tag of an entry', MAX_NAME)) ?? '';
  const kind = await readText(reader, 'the kind of an entry', 256);
  if (kind === null || !/^[A-Z][A-Z ]*$/.test(kind)) throw damagedAt(at, `entry ${dumpId} has no kind`);
  const section = SECTIONS[(await readInt(reader, 'the section of an entry')) - 1];
  if (section === undefined) throw damagedAt(at, `entry ${dumpId} is in no section`);
  const text = KEPT.has(kind) ? await readText(reader, 'the definition of an entry', MAX_ACL) : undefined;
  const statement = createHash('sha256');
  const acl = kind === 'ACL' ? text : undefined;
  if (text === undefined) await hashText(reader, statement, 'the definition of an entry');
  else if (acl === undefined) statement.update(text ?? '');
  for (const part of ['drop statement', 'copy statement']) await skipText(reader, `the ${part} of an entry`);
  const schema = await readText(reader, 'the schema of an entry', MAX_NAME);
  await readText(reader, 'the tablespace of an entry', MAX_NAME);
  const accessMethod = await readText(reader, 'the access method of an entry', MAX_NAME);
  const statementSha256 = statement.update(`\0${acl ?? ''}\0${accessMethod ?? ''}`).digest('base64url');
  if (minor >= 16) await readInt(reader, 'the relation kind of an entry');
  const owner = (await readText(reader, 'the owner of an entry', MAX_NAME)) ?? '';
  const withOids = await readText(reader, 'a flag of an entry', 8);
  if (withOids !== 'false' && withOids !== 'true') throw damagedAt(at, `entry ${dumpId} has an unknown flag`);
  while ((await readDigits(reader, 'a dependency')) !== null);
  const data = await readOffset(reader, dumpId);
  if (data.hasData !== (dumper === 1)) throw damagedAt(at, `entry ${dumpId} says both that it has data and that it has none`);
  return {
    dumpId,
    kind,
    tag,
    schema: schema === '' ? null : schema,
    owner,
    ...(acl ? { acl } : text ? { definition: text } : {}),
    statementSha256,
    section,
    ...data,
  };
}

async function readDigits(reader: ByteReader, what: string): Promise<string | null> {
  const at = reader.position;
  const text = await readText(reader, what, 16);
  if (text !== null && !/^[0-9]+$/.test(text)) throw damagedAt(at, `${what} is not a number`);
  return text;
}

async function readOffset(reader: ByteReader, dumpId: number): Promise<{ hasData: boolean; dataOffset?: number | undefined }> {
  const at = reader.position;
  const flag = await readByte(reader, 'the offset of an entry');
  if (!(await reader.fill(OFFSET_BYTES))) throw damagedAt(reader.position, 'it ends inside the offset of an entry');
  const offset = reader.takeBytes(OFFSET_BYTES).readBigUInt64LE(0);
  if (flag === OFFSET_NO_DATA) return { hasData: false };
  if (flag === OFFSET_NOT_SET) return { hasData: true };
  if (flag !== OFFSET_SET) throw damagedAt(at, `entry ${dumpId} has the offset flag ${flag}`);
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) throw damagedAt(at, `entry ${dumpId} points beyond any file`);
  return { hasData: true, dataOffset: Number(offset) };
}
