import type { PostgresSession } from '../connect.ts';
import { quoteIdentifier, unquoteIdentifier } from '../sql/quote.ts';
import type { Wanted } from './difference.ts';

const OBJECTS: Readonly<Record<string, string>> = {
  r: 'TABLES',
  S: 'SEQUENCES',
  f: 'FUNCTIONS',
  T: 'TYPES',
  n: 'SCHEMAS',
  L: 'LARGE OBJECTS',
};
const IDENTIFIER = `"(?:[^"]|"")*"|[^" ,:]+`;
const NAME = new RegExp(`^of (${IDENTIFIER})(?: in (${IDENTIFIER}))? on (\\w)$`);
const ITEM = new RegExp(`(${IDENTIFIER}): ([A-Z]+)(\\*?)(?:, |$)`, 'y');

/**
 * SQL for default privileges of roles that the owner is not a member of. Only names and keywords are taken from the manifest, and the
 * names are quoted anew.
 */
export async function renderDefaultPrivileges(session: PostgresSession, wanted: readonly Wanted[]): Promise<readonly string[]> {
  const ordinary = new Set(
    (await session.query<{ name: string }>('SELECT rolname AS name FROM pg_roles WHERE NOT rolsuper')).map(({ name }) => name),
  );
  return wanted.flatMap(({ name, definition }) => {
    const [, role = '', schema, letter = ''] = NAME.exec(name) ?? [];
    const items = itemsOf(definition);
    const objects = OBJECTS[letter];
    if (objects === undefined || items === undefined || !ordinary.has(unquoteIdentifier(role))) return [];
    const quoted = (text: string) => (text === 'PUBLIC' ? text : quoteIdentifier(unquoteIdentifier(text)));
    const place = schema === undefined ? '' : ` IN SCHEMA ${quoted(schema)}`;
    const begin = `ALTER DEFAULT PRIVILEGES FOR ROLE ${quoted(role)}${place}`;
    // Without a schema it replaces what Postgres grants itself; with one it is added to that.
    const revoked = schema === undefined ? [`${begin} REVOKE ALL ON ${objects} FROM PUBLIC, ${quoted(role)}`] : [];
    return [
      ...revoked,
      ...items.map(
        ({ grantee, privilege, option }) =>
          `${begin} GRANT ${privilege} ON ${objects} TO ${quoted(grantee)}${option === '' ? '' : ' WITH GRANT OPTION'}`,
      ),
    ];
  });
}

interface Item {
  readonly grantee: string;
  readonly privilege: string;
  readonly option: string;
}

/** `PUBLIC: EXECUTE, "a b": SELECT*`; undefined when the text is anything else. */
function itemsOf(definition: string): readonly Item[] | undefined {
  if (definition === 'nothing') return [];
  const items: Item[] = [];
  ITEM.lastIndex = 0;
  let end = 0;
  for (let match = ITEM.exec(definition); match !== null; match = ITEM.exec(definition)) {
    items.push({ grantee: match[1] as string, privilege: match[2] as string, option: match[3] as string });
    end = ITEM.lastIndex;
    if (end === definition.length) break;
  }
  return end === definition.length ? items : undefined;
}
