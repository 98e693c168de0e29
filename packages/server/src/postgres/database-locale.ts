import { quoteLiteral } from './sql/quote.ts';

/** Encoding and default collation of a database, in the words of CREATE DATABASE. `Manifest['server']` is one. */
export interface DatabaseLocale {
  readonly encoding: string;
  /** The locales of the C library. A database has them under every provider. */
  readonly collate: string;
  readonly ctype: string;
  /** Who sorts by default; absent in manifests of older releases, where it is taken to be the C library. */
  readonly localeProvider?: LocaleProvider | undefined;
  /** The locale of ICU or of Postgres itself; null for the C library. */
  readonly locale?: string | null | undefined;
  /** Rules that are added to those of ICU's locale. */
  readonly icuRules?: string | null | undefined;
}

export type LocaleProvider = 'libc' | 'icu' | 'builtin';

/** SQL: the facts of `DatabaseLocale` for the row `d` of pg_database. The names of two columns differ between majors. */
export const LOCALE_COLUMNS = `pg_catalog.pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate, d.datctype AS ctype,
  CASE to_jsonb(d)->>'datlocprovider' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END AS "localeProvider",
  coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale') AS locale, to_jsonb(d)->>'daticurules' AS "icuRules"`;

/**
 * The options that give a new database this encoding and default collation; its template must be template0.
 *
 * @param major of the server that creates it: before 15 there is only the C library
 */
export function renderDatabaseLocale(wanted: DatabaseLocale, major: number): string {
  const { encoding, collate, ctype, localeProvider = 'libc', locale, icuRules } = wanted;
  const options = [`ENCODING ${quoteLiteral(encoding)} LC_COLLATE ${quoteLiteral(collate)} LC_CTYPE ${quoteLiteral(ctype)}`];
  if (localeProvider !== 'libc' || major >= 15) options.push(`LOCALE_PROVIDER ${localeProvider}`);
  if (localeProvider !== 'libc')
    options.push(`${localeProvider === 'icu' ? 'ICU_LOCALE' : 'BUILTIN_LOCALE'} ${quoteLiteral(locale ?? '')}`);
  if (localeProvider === 'icu' && icuRules) options.push(`ICU_RULES ${quoteLiteral(icuRules)}`);
  return options.join(' ');
}

/** The same in a few words, for messages: `encoding UTF8 and the locale de_DE.UTF-8`. */
export function describeDatabaseLocale({ encoding, collate, ctype, localeProvider = 'libc', locale, icuRules }: DatabaseLocale): string {
  const libc = collate === ctype ? collate : `${collate} (collation) and ${ctype} (character types)`;
  const own = localeProvider === 'icu' ? `the ICU locale ${locale ?? ''}` : `the locale ${locale ?? ''} of Postgres itself`;
  const rules = icuRules ? ' with rules of its own' : '';
  return `encoding ${encoding} and ${localeProvider === 'libc' ? `the locale ${libc}` : `${own}${rules}, on top of ${libc}`}`;
}

/** Whether two databases sort and classify the same way. `C.UTF-8` and `C.utf8` are the same locale under two names. */
export function isSameLocale(a: DatabaseLocale, b: DatabaseLocale): boolean {
  const normalize = (name: string) => name.toLowerCase().replaceAll('-', '');
  return (
    a.encoding.toUpperCase() === b.encoding.toUpperCase() &&
    normalize(a.collate) === normalize(b.collate) &&
    normalize(a.ctype) === normalize(b.ctype) &&
    (a.localeProvider ?? 'libc') === (b.localeProvider ?? 'libc') &&
    (a.locale ?? null) === (b.locale ?? null) &&
    (a.icuRules || null) === (b.icuRules || null)
  );
}

/**
 * The command that adds a locale of the C library to a Debian or Ubuntu host, where there is one for its name.
 * Source: localedef(1); the definitions are in the package `locales`.
 */
function localeCommand(name: string): string | undefined {
  const parts = /^([a-z]{2,3}(?:_[A-Z]{2})?)(?:\.([A-Za-z0-9-]+))?(@[a-z]+)?$/.exec(name);
  if (parts?.[1] === undefined) return undefined;
  const [, language, codeset = 'ISO-8859-1', modifier = ''] = parts;
  const charmap = /^utf-?8$/i.test(codeset) ? 'UTF-8' : codeset.replace(/^iso-?8859-?(\d+)$/i, 'ISO-8859-$1');
  return `apt-get install locales && localedef -i ${language}${modifier} -f ${charmap} ${name}`;
}

/** What helps when a server refuses a locale: a sentence with the command. */
export function adviseOnLocale(wanted: Pick<DatabaseLocale, 'collate' | 'ctype'>): string {
  const commands = [...new Set([wanted.collate, wanted.ctype])].map(localeCommand).filter((command) => command !== undefined);
  if (commands.length === 0) return 'Install the locale on the host of this Postgres server.';
  return `Install the locale on the host of this Postgres server, for example with \`${commands.join(' && ')}\`.`;
}
