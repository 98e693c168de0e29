import type { PostgresSession } from '../postgres/connect.ts';
import { adviseOnLocale } from '../postgres/database-locale.ts';
import { packageOf } from '../postgres/packages.ts';
import { quoteIdentifier, quoteLiteral } from '../postgres/sql/quote.ts';
import type { DisposableRequest } from './provider.ts';

/** Something that the backup needs and the server lacks: what it is, and how to add it. */
export interface Lack {
  readonly what: string;
  readonly cure: string;
}

/** What a server lacks, all of it; the extensions among it that exist and do not start are listed by their names too. */
export interface HostCheck {
  readonly lacks: readonly Lack[];
  readonly failedExtensions: readonly string[];
}

type Needs = Pick<DisposableRequest, 'major' | 'extensions' | 'needs'>;

/**
 * Finds what the server lacks that the backup needs, before anything of the backup runs. Most of it is created in a transaction that is
 * rolled back: whether Postgres itself can do it is the only sure answer, and it names the file that it misses.
 *
 * @param session of a superuser in the empty restore database
 */
export async function checkHost(session: PostgresSession, needs: Needs): Promise<HostCheck> {
  const lacks: Lack[] = [];
  const failedExtensions: string[] = [];
  await session.run('begin read write');
  for (const extension of needs.extensions) {
    const problem = await tryExtension(session, extension);
    if (problem === undefined) continue;
    const package_ = packageOf(extension.name, needs.major);
    if (problem === 'absent')
      lacks.push({
        what: `the extension ${extension.name}`,
        cure: `install the extension ${extension.name}, for example with \`apt-get install ${package_}\``,
      });
    else {
      failedExtensions.push(extension.name);
      lacks.push({
        what: `a working extension ${extension.name} (${problem})`,
        cure: `make the extension ${extension.name} work, whose package is ${package_}`,
      });
    }
  }
  for (const { name, template, options } of needs.needs?.dictionaries ?? []) {
    const sql = `create text search dictionary public.flux_rehearsal (template = ${template}${options === null ? '' : `, ${options}`})`;
    const problem = await tryOut(session, sql, 'drop text search dictionary public.flux_rehearsal');
    if (problem !== undefined)
      lacks.push({
        what: `the files of the text search dictionary ${name} (${problem})`,
        cure: `install the files of the dictionary ${name} that the source has, for example from a hunspell package (\`apt-get install hunspell-en-us\` for English)`,
      });
  }
  for (const library of needs.needs?.libraries ?? []) {
    const problem = await tryOut(session, `load ${quoteLiteral(library)}`);
    if (problem !== undefined)
      lacks.push({
        what: `the library ${library} (${problem})`,
        cure: `copy the library ${library} from the source to the same place or to the library folder of PostgreSQL ${needs.major} (\`pg_config --pkglibdir\`), with what it is linked to`,
      });
  }
  await session.run('rollback');
  lacks.push(...(await findMissingCollations(session, needs.needs?.collations ?? [])));
  return { lacks, failedExtensions };
}

async function tryExtension(
  session: PostgresSession,
  { name, schema }: DisposableRequest['extensions'][number],
): Promise<string | undefined> {
  const [available] = await session.query('select from pg_catalog.pg_available_extensions where name = $1', [name]);
  if (available === undefined) return 'absent';
  const create = `create extension if not exists ${quoteIdentifier(name)} with schema ${quoteIdentifier(schema)} cascade`;
  return await tryOut(session, schema === 'pg_catalog' ? create : `create schema if not exists ${quoteIdentifier(schema)}; ${create}`);
}

/** Runs SQL; the server's error when that fails, and then it had no effect. */
async function tryOut(session: PostgresSession, sql: string, afterwards = ''): Promise<string | undefined> {
  await session.run('savepoint rehearsal');
  try {
    await session.run(`${sql}; ${afterwards}`);
    return undefined;
  } catch (error) {
    await session.run('rollback to savepoint rehearsal');
    return error instanceof Error ? error.message : String(error);
  }
}

/** initdb has taken over the locales that the host had then; what was installed later is taken over here. */
async function findMissingCollations(session: PostgresSession, names: readonly string[]): Promise<readonly Lack[]> {
  const missing = async () => {
    const rows = await session.query<{ name: string }>(
      `select name from unnest($1::text[]) name where not exists
         (select from pg_catalog.pg_collation c where c.collname = name and c.collnamespace = 'pg_catalog'::regnamespace)`,
      [names],
    );
    return rows.map(({ name }) => name);
  };
  if ((await missing()).length === 0) return [];
  await session.query(`select pg_catalog.pg_import_system_collations('pg_catalog')`);
  return (await missing()).map((name) => ({
    what: `the collation "${name}"`,
    cure: adviseOnLocale({ collate: name, ctype: name }).replace(/^I/, 'i').replace(/\.$/, ''),
  }));
}
