/** What identifies a migration: a row of the ledger, or a file that is about to be pushed. */
export interface MigrationMark {
  readonly version: string;
  readonly filename: string;
  readonly checksum: string;
}

/** Prefix of the version of a repeatable script in the ledger; its id follows. */
export const REPEATABLE_PREFIX = 'R:';

/**
 * Finds the ledger row of a migration: by any spelling of its version, or under another version with the same file name and the
 * same content. A row whose content differs from the file's is a conflict; it is found only when no row has the same content.
 */
export function findApplied<Row extends MigrationMark>(file: MigrationMark, rows: readonly Row[]): Row | undefined {
  const exact = rows.find(({ version }) => version === file.version);
  // Most rows match exactly. Comparing the spellings of every pair would take seconds with a long ledger.
  if (exact?.checksum === file.checksum && !isRepeatable(file)) return exact;
  const found = rows.filter((row) => isSameMigration(file, row));
  return found.find(({ checksum }) => checksum === file.checksum) ?? found.find((row) => row === exact) ?? found[0];
}

/** Whether two marks are of one migration. A repeatable script is never a migration. */
export function isSameMigration(one: MigrationMark, other: MigrationMark): boolean {
  if (isRepeatable(one) || isRepeatable(other)) return false;
  if (one.checksum === other.checksum && lastSegment(one.filename) === lastSegment(other.filename)) return true;
  return isSameVersion(one.version, other.version);
}

/**
 * Whether two texts name the same version: `1`, `001` and `001_init.sql` do, and so do `init` and `init.sql`. A number alone matches
 * any name with that number; two names with one number are two versions, because a client that records names distinguishes them.
 */
export function isSameVersion(one: string, other: string): boolean {
  if (one === other) return true;
  const [a, b] = [parseVersion(one), parseVersion(other)];
  return a.number === b.number && (a.name === b.name || (a.number !== null && (a.name === null || b.name === null)));
}

/** Files that a ledger has more than once: the same content under several versions, recorded by clients that spell versions differently. */
export function findDoubles(rows: readonly MigrationMark[]): { readonly filename: string; readonly versions: readonly string[] }[] {
  const files = new Map<string, { filename: string; versions: string[] }>();
  for (const row of rows.filter((each) => !isRepeatable(each))) {
    const filename = lastSegment(row.filename);
    const key = `${row.checksum} ${filename}`;
    const file = files.get(key) ?? { filename, versions: [] };
    file.versions.push(row.version);
    files.set(key, file);
  }
  return [...files.values()].filter(({ versions }) => versions.length > 1);
}

function parseVersion(version: string): { readonly number: string | null; readonly name: string | null } {
  const base = version.replace(/\.sql$/i, '');
  const parts = /^([0-9]+)(?:_(.*))?$/s.exec(base);
  if (parts === null) return { number: null, name: base };
  return { number: (parts[1] ?? '').replace(/^0+(?=[0-9])/, ''), name: parts[2] ?? null };
}

function isRepeatable({ version }: MigrationMark): boolean {
  return version.startsWith(REPEATABLE_PREFIX);
}

/** In a folder per migration all files have one name, and the folder's is what tells them apart. */
function lastSegment(filename: string): string {
  const segments = filename.split('/');
  return segments.slice(/^(?:migration|up)\.sql$/i.test(segments.at(-1) ?? '') ? -2 : -1).join('/');
}
