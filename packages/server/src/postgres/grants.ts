import type { SourceLook, Unreadable } from './source-look.ts';

/** From this number of tables in one schema, one statement for all of them is easier to read. */
const ALL_FROM = 4;

/** The SQL that lets the login read what it may not, to be run by a superuser or by the owners. */
export function grantsFor({ role, unreadable }: Pick<SourceLook, 'role' | 'unreadable'>): readonly string[] {
  const of = (kind: Unreadable['kind']) => unreadable.filter((one) => one.kind === kind);
  return [
    ...of('schema').map(({ name }) => `GRANT USAGE ON SCHEMA ${name} TO ${role};`),
    ...grantEach(of('table'), 'TABLE', role),
    ...grantEach(of('sequence'), 'SEQUENCE', role),
    ...of('large_object').map(({ name }) => `GRANT SELECT ON LARGE OBJECT ${name} TO ${role};`),
    ...(of('row_security').length === 0 ? [] : [`ALTER ROLE ${role} BYPASSRLS;`]),
  ];
}

function grantEach(all: readonly Unreadable[], what: 'TABLE' | 'SEQUENCE', role: string): string[] {
  const bySchema = new Map<string, string[]>();
  for (const { name, schema } of all) bySchema.set(schema ?? '', [...(bySchema.get(schema ?? '') ?? []), name]);
  return [...bySchema].flatMap(([schema, names]) =>
    names.length >= ALL_FROM
      ? [`GRANT SELECT ON ALL ${what}S IN SCHEMA ${schema} TO ${role};`]
      : names.map((name) => `GRANT SELECT ON ${what} ${name} TO ${role};`),
  );
}

const WORDS: Readonly<Record<Unreadable['kind'], string>> = {
  schema: 'USAGE is not granted',
  table: 'SELECT is not granted',
  sequence: 'SELECT is not granted',
  large_object: 'SELECT is not granted',
  row_security: 'its policies hide rows from this login, and a backup without them would lack them',
};

/** One line for each thing that the login may not read, with its owner. */
export function describeUnreadable(unreadable: readonly Unreadable[], most: number): readonly string[] {
  const lines = unreadable
    .slice(0, most)
    .map(({ kind, name, owner }) => `${kind === 'row_security' ? 'table' : kind.replaceAll('_', ' ')} ${name} of ${owner}: ${WORDS[kind]}`);
  return unreadable.length > most ? [...lines, `and ${unreadable.length - most} more`] : lines;
}
