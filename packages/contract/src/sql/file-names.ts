/**
 * What the name of a SQL file says by the rules of the tool that it was written for. Sources: the manuals of golang-migrate, sqlx,
 * dbmate, postgrator, yoyo, db-migrate, diesel, Hasura, Flyway.
 */

/** A file that undoes a migration, by its name alone, and the tools that name such files so; undefined for every other file. */
export function describeWayDown(filename: string): string | undefined {
  const name = lastSegment(filename);
  if (/^(?:down|undo|rollback|revert)\.sql$/i.test(name)) return 'a way down as diesel and Hasura name it';
  if (/^U\d[\d._]*__/i.test(name)) return 'an undo migration of Flyway';
  // Postgrator: 001.undo.name.sql, and 001.do.undo.sql leads forward.
  if (/^\d[\d-]*\.do\./i.test(name)) return undefined;
  if (/^\d[\d-]*\.undo\./i.test(name)) return 'a way down as postgrator names it';
  const suffix = /\.(down|undo|rollback|revert)\.sql$/i.exec(name)?.[1];
  return suffix === undefined ? undefined : `a way down: its name ends with .${suffix}.sql`;
}

/**
 * Whether a file undoes another of its folder: names that say so only as a pair (`1-a-up.sql` with `1-a-down.sql`, `1_up_a.sql` with
 * `1_down_a.sql`, `1_a.sql` with `1_a_rollback.sql`). Alone, `002_scale_down.sql` is a migration like any other.
 */
export function undoesAnother(filename: string, folder: ReadonlySet<string>): boolean {
  const base = filename.replace(/\.sql$/i, '');
  const atEnd = /^(.*?)([-_. ])(?:down|undo|rollback|revert)$/i.exec(base);
  if (atEnd !== null) {
    const [, rest = '', separator = ''] = atEnd;
    if (['up', 'do', 'deploy', 'apply'].some((word) => hasName(folder, `${rest}${separator}${word}.sql`))) return true;
    if (/^\d/.test(rest) && hasName(folder, `${rest}.sql`)) return true;
  }
  const inside = /^(\d+[-_.])(?:down|undo)([-_.].*)$/i.exec(base);
  return inside !== null && ['up', 'do'].some((word) => hasName(folder, `${inside[1]}${word}${inside[2]}.sql`));
}

function hasName(folder: ReadonlySet<string>, name: string): boolean {
  const wanted = name.toLowerCase();
  for (const other of folder) if (other.toLowerCase() === wanted) return true;
  return false;
}

/** A version of Flyway (`V1.1__name.sql`, also `V1_1__`), as its numbers in text without trailing zeros; undefined for other names. */
export function flywayVersion(filename: string): string | undefined {
  const digits = /^V(\d+(?:[._]\d+)*)__/i.exec(filename)?.[1];
  if (digits === undefined) return undefined;
  const parts = digits.split(/[._]/).map((part) => part.replace(/^0+(?=\d)/, ''));
  while (parts.length > 1 && parts.at(-1) === '0') parts.pop();
  return parts.join('.');
}

/** Whether Flyway would run this file around its migrations: `beforeMigrate.sql`, `afterEachMigrate__log.sql`. */
export function isFlywayCallback(filename: string): boolean {
  const name =
    /^(?:before|after)(?:Each)?(?:Migrate|Undo|Clean|Info|Validate|Baseline|Repair|Connect|Versioned|Repeatables|Deploy|Undeploy)[A-Za-z]*(?:__.*)?\.sql$/;
  return name.test(filename) || /^createSchema(?:__.*)?\.sql$/.test(filename);
}

/** Whether a file is a baseline of Flyway (`B5__state.sql`), which stands for all versions up to its own. */
export function isFlywayBaseline(filename: string): boolean {
  return /^B\d[\d._]*__/i.test(filename);
}

/** Whether a name carries the number of a migration. `2nd.sql` does not. */
export function isNumberedName(filename: string): boolean {
  const name = lastSegment(filename);
  return /^\d+(?:[_.\- ]|\d\d[A-Za-z])/.test(name) || flywayVersion(name) !== undefined;
}

/** Whether a file re-runs when it changes, by its name (Flyway: `R__views.sql`). */
export function isRepeatableName(filename: string): boolean {
  return lastSegment(filename).startsWith('R__');
}

/**
 * The order in which migrations run: numbers by their value (`2_b` before `10_a`), versions part by part (`V1__a`, `V1.1__b`, `V2__c`).
 */
export function compareNames(a: string, b: string): number {
  const [left, right] = [tokensOf(a), tokensOf(b)];
  for (let index = 0; index < Math.min(left.length, right.length); index += 1) {
    const one = left[index] ?? '';
    const other = right[index] ?? '';
    if (/^\d/.test(one) && /^\d/.test(other)) {
      const difference = compareVersions(one, other);
      if (difference !== 0) return difference;
    } else if (one !== other) return one < other ? -1 : 1;
  }
  return left.length - right.length || (a < b ? -1 : a > b ? 1 : 0);
}

function tokensOf(filename: string): readonly string[] {
  const base = filename
    .replace(/\.sql$/i, '')
    .replace(/^V(\d+(?:[._]\d+)*)(?=__)/i, (_, digits: string) => `V${digits.replaceAll('_', '.')}`);
  return base.match(/\d+(?:\.\d+)*|\D+/g) ?? [];
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.').map(BigInt), b.split('.').map(BigInt)];
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const [one, other] = [left[index] ?? 0n, right[index] ?? 0n];
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
}

function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
