/** Why a file cannot be imported as a backup, and what to do with it. */
export interface RefusedFile {
  readonly what: string;
  readonly hint: string;
}

/** How many bytes of a file `refuseDumpFile` needs; of a shorter file, all of them. */
export const DUMP_HEAD_BYTES = 512;

const TAR_MAGIC_AT = 257;
const CONVERT =
  'Restore it into an empty database, and dump that: `createdb scratch && pg_restore -d scratch <file> && pg_dump -Fc -f scratch.dump scratch`.';
const PLAIN =
  'It is SQL: run it in an empty project with `psql "$(flux project credentials --field postgres.url)" -f <file>`, then `flux backup create`. To import it, dump it anew with `pg_dump -Fc`.';

/** What compressed files begin with, and the program that takes the compression off. */
const COMPRESSED: readonly (readonly [string, readonly number[], string])[] = [
  ['gzip', [0x1f, 0x8b], 'gunzip'],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd], 'unzstd'],
  ['bzip2', [0x42, 0x5a, 0x68], 'bunzip2'],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a], 'unxz'],
  ['lz4', [0x04, 0x22, 0x4d, 0x18], 'unlz4'],
  ['zip', [0x50, 0x4b, 0x03, 0x04], 'unzip'],
];

/** The newest and the oldest version of the archive format that Flux reads: those of pg_dump 12 to 18. */
const FORMAT_MINORS = { oldest: 14, newest: 16 } as const;

/**
 * Tells from its first bytes what a file is that is to be imported; undefined when it begins as an archive of `pg_dump -Fc` that Flux
 * reads.
 */
export function refuseDumpFile(head: Uint8Array): RefusedFile | undefined {
  if (head.length === 0) return { what: 'is empty', hint: 'Check how it was made: `pg_dump -Fc -f <file> <database>`.' };
  const compressed = COMPRESSED.find(([, magic]) => magic.every((byte, at) => head[at] === byte));
  if (compressed !== undefined) {
    const [name, , program] = compressed;
    return {
      what: `is compressed with ${name}`,
      hint: `Unpack it with \`${program}\`, and import what is in it. An archive of \`pg_dump -Fc\` is compressed already.`,
    };
  }
  const text = String.fromCharCode(...head.subarray(0, DUMP_HEAD_BYTES));
  if (text.startsWith('PGDMP')) return refuseVersion(head);
  if (text.slice(TAR_MAGIC_AT, TAR_MAGIC_AT + 5) === 'ustar')
    return { what: 'is a tar file (`pg_dump -Ft`, or an archived folder of `pg_dump -Fd`), which is not imported', hint: CONVERT };
  if (isText(head)) return { what: 'is text, such as a plain dump of `pg_dump` without -Fc, or of `pg_dumpall`', hint: PLAIN };
  return { what: 'is not an archive of `pg_dump -Fc`', hint: 'Check how it was made: `pg_dump -Fc -f <file> <database>`.' };
}

/** What a folder is, which only the machine that has it can tell. */
export const REFUSED_FOLDER: RefusedFile = { what: 'is a folder, such as one of `pg_dump -Fd`, which is not imported', hint: CONVERT };

function refuseVersion(head: Uint8Array): RefusedFile | undefined {
  const [major = 0, minor = 0] = head.subarray(5, 7);
  if (head.length < 11) return { what: 'ends after its first bytes', hint: 'Copy it again from where it was made.' };
  const version = `${major}.${minor}`;
  if (major > 1 || minor > FORMAT_MINORS.newest)
    return {
      what: `has version ${version} of the archive format, which a pg_dump newer than 18 has written`,
      hint: 'Update Flux and PostgreSQL on the host of the control plane, or dump the database with pg_dump 18 or older.',
    };
  if (minor < FORMAT_MINORS.oldest)
    return { what: `has version ${version} of the archive format, which only a pg_dump older than 12 has written`, hint: CONVERT };
  return undefined;
}

function isText(head: Uint8Array): boolean {
  if ((head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff)) return true;
  return head.every((byte) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d);
}
