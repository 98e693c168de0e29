/** Offsets of the parts of a custom-format archive, in bytes from the start; ends are exclusive. */
export interface ArchiveParts {
  readonly header: Part;
  readonly toc: Part;
  /** In the order of the file; a block is the data of one table, or the large objects. */
  readonly blocks: readonly (Part & { readonly tag: string })[];
  /** The definition of an entry, by its tag and kind: `TABLE orders`. */
  readonly definitions: ReadonlyMap<string, Part>;
}

export interface Part {
  readonly start: number;
  readonly end: number;
}

const NO_TEXT = -1;
const BLOCK_OF_LARGE_OBJECTS = 3;

/**
 * Parses an archive, so that a test can choose where to damage it. Written from the layout in pg_backup_archiver.c and pg_backup_custom.c of
 * Postgres, not with the reader of the product, so that the two do not share an error.
 */
export function takeApart(archive: Buffer): ArchiveParts {
  let at = 0;
  const byte = () => archive[at++] ?? NO_TEXT;
  const int = () => {
    const sign = byte();
    const magnitude = archive.readUInt32LE(at);
    at += 4;
    return sign === 1 ? -magnitude : magnitude;
  };
  const text = () => {
    const length = int();
    const start = at;
    if (length > 0) at += length;
    return { start, end: at, text: length < 0 ? null : archive.toString('utf8', start, at) };
  };

  at = 'PGDMP'.length + 1;
  const minor = byte();
  // Revision, size of integers, size of offsets, format.
  at += 4;
  if (minor >= 15) byte();
  else int();
  for (let field = 0; field < 7; field++) int();
  for (let name = 0; name < 3; name++) text();
  const header = { start: 0, end: at };

  const tags = new Map<number, string>();
  const definitions = new Map<string, Part>();
  for (let left = int(); left > 0; left--) {
    const dumpId = int();
    int();
    text();
    text();
    const tag = text().text ?? '';
    const kind = text().text ?? '';
    int();
    const definition = text();
    if (definition.end > definition.start) definitions.set(`${kind} ${tag}`, definition);
    // Drop statement, copy statement, schema, tablespace, access method.
    for (let skipped = 0; skipped < 5; skipped++) text();
    if (minor >= 16) int();
    text();
    text();
    while (text().text !== null);
    at += 1 + 8;
    tags.set(dumpId, kind === 'BLOBS' ? 'large objects' : tag);
  }
  const toc = { start: header.end, end: at };

  const blocks: (Part & { tag: string })[] = [];
  const chunks = () => {
    for (let length = int(); length > 0; length = int()) at += length;
  };
  while (at < archive.length) {
    const start = at;
    const type = byte();
    const tag = tags.get(int()) ?? '';
    if (type === BLOCK_OF_LARGE_OBJECTS) while (int() !== 0) chunks();
    else chunks();
    blocks.push({ start, end: at, tag });
  }
  return { header, toc, blocks, definitions };
}
