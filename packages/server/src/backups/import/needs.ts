import type { DisposableRequest } from '../../disposable/provider.ts';
import type { ArchiveToc } from '../../postgres/archive/toc.ts';
import type { DatabaseLocale } from '../../postgres/database-locale.ts';
import type { RolePrerequisite } from '../../postgres/manifest/prerequisites/data.ts';
import type { LeftOut } from '../../postgres/manifest.ts';
import { unquoteIdentifier } from '../../postgres/sql/quote.ts';

/** What only a superuser may own. */
const SUPERUSERS = new Set(['EVENT TRIGGER', 'FOREIGN DATA WRAPPER', 'SUBSCRIPTION']);
const IDENTIFIER = `"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*`;
/** As pg_dump writes grants; what looks like one inside of a name costs a role that nothing refers to. */
const GRANTEES = new RegExp(`\\b(?:TO|FROM|SESSION AUTHORIZATION)\\s+(?:GROUP\\s+)?(${IDENTIFIER})`, 'g');

/** The roles that an archive names as owners and in grants. Those in policies are found when they are missing. */
export function rolesIn({ entries }: Pick<ArchiveToc, 'entries'>): readonly RolePrerequisite[] {
  const found = new Map<string, boolean>();
  const add = (name: string, superuser: boolean) => {
    // Those of Postgres itself exist.
    if (name !== '' && name !== 'public' && !name.startsWith('pg_')) found.set(name, superuser || found.get(name) === true);
  };
  for (const { kind, owner, acl } of entries) {
    add(owner, SUPERUSERS.has(kind));
    for (const [, grantee = ''] of acl?.matchAll(GRANTEES) ?? []) add(unquoteIdentifier(grantee), false);
  }
  return [...found].map(([name, superuser]) => ({ name, superuser, inherits: true, bypassesRls: false }));
}

/** The extensions that an archive creates, with their schemas. */
export function extensionsIn({ entries }: Pick<ArchiveToc, 'entries'>): DisposableRequest['extensions'] {
  return entries
    .filter(({ kind, tag }) => kind === 'EXTENSION' && tag !== 'plpgsql')
    .map(({ tag, definition = '' }) => {
      const schema = new RegExp(`WITH SCHEMA (${IDENTIFIER})`).exec(definition)?.[1];
      return { name: tag, schema: schema === undefined ? 'public' : unquoteIdentifier(schema) };
    });
}

const OPTION = /\b(ENCODING|LOCALE_PROVIDER|LOCALE|LC_COLLATE|LC_CTYPE|ICU_LOCALE|BUILTIN_LOCALE|ICU_RULES) = ('(?:[^']|'')*'|\w+)/g;
const TEMPLATE = ' WITH TEMPLATE = template0';
const PROVIDERS = { libc: 'libc', icu: 'icu', builtin: 'builtin' } as const;

/** The locale of the database that was dumped: every archive but one of older tools has the statement that creates it. */
export function localeIn({ entries }: Pick<ArchiveToc, 'entries'>): DatabaseLocale {
  const statement = entries.find(({ kind }) => kind === 'DATABASE')?.definition ?? '';
  const at = statement.lastIndexOf(TEMPLATE);
  const options = new Map<string, string>();
  for (const [, name = '', value = ''] of at < 0 ? [] : statement.slice(at).matchAll(OPTION))
    options.set(name, value.startsWith("'") ? value.slice(1, -1).replaceAll("''", "'") : value);
  const encoding = options.get('ENCODING') ?? encodingIn(entries) ?? 'UTF8';
  const libc = options.get('LOCALE') ?? (encoding === 'UTF8' ? 'C.UTF-8' : 'C');
  const localeProvider = PROVIDERS[options.get('LOCALE_PROVIDER') as keyof typeof PROVIDERS] ?? 'libc';
  return {
    encoding,
    collate: options.get('LC_COLLATE') ?? libc,
    ctype: options.get('LC_CTYPE') ?? libc,
    localeProvider,
    locale: localeProvider === 'libc' ? null : (options.get(localeProvider === 'icu' ? 'ICU_LOCALE' : 'BUILTIN_LOCALE') ?? null),
    icuRules: options.get('ICU_RULES') ?? null,
  };
}

function encodingIn(entries: ArchiveToc['entries']): string | undefined {
  const statement = entries.find(({ kind }) => kind === 'ENCODING')?.definition ?? '';
  return /client_encoding = '([A-Za-z0-9_]+)'/.exec(statement)?.[1];
}

const OF_OBJECTS = new Set(['ACL', 'COMMENT', 'SECURITY LABEL']);

/** What the archive says of the database itself, which is not a part of what a restore into another database brings back. */
export function describeLeftOutOfImport({ entries, header }: ArchiveToc): LeftOut[] {
  const leftOut: LeftOut[] = [];
  const ofDatabase = entries.filter(
    ({ kind, tag }) => kind === 'DATABASE PROPERTIES' || (OF_OBJECTS.has(kind) && tag.startsWith('DATABASE ')),
  );
  if (ofDatabase.length > 0)
    leftOut.push({
      kind: 'database',
      name: header.database,
      reason: `The archive has settings, rights or a comment of the database itself (${ofDatabase.length}); they come back only with \`pg_restore --create\` by hand.`,
    });
  if (!entries.some(({ kind }) => kind === 'DATABASE'))
    leftOut.push({
      kind: 'database',
      name: header.database,
      reason: 'The archive does not say which locale its database had; it is restored with that of Postgres itself (C.UTF-8).',
    });
  return leftOut;
}
