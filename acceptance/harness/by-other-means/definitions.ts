import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findClient, psql } from '../postgres.ts';
import { run, runWell } from '../process.ts';
import { LOOK_ENV, type Place } from './observe.ts';

/** A `pg_dump -s` in a file of its own. */
export interface KeptDefinitions {
  readonly path: string;
  readonly remove: () => void;
}

/**
 * What `pg_dump -s` says of each object, by its kind and name. Left out: comments, the `\restrict` key (both are outside of the
 * entries), owners and rights, which `questions.ts` asks for itself.
 */
export async function dumpDefinitions(place: Place): Promise<Map<string, string>> {
  return entriesOf(await runWell(join(findClient(), 'pg_dump'), [...dumpOptions(place), '-d', place.uri], { env: LOOK_ENV }));
}

/** Keeps the definitions, to be made again by `rereadDefinitions`. */
export async function keepDefinitions(place: Place): Promise<KeptDefinitions> {
  const folder = mkdtempSync(join(tmpdir(), 'flux-definitions-'));
  const path = join(folder, 'schema.dump');
  // What a tenant's schema uses outside of itself has to be made again with it.
  const { schema: _, ...whole } = place;
  await runWell(join(findClient(), 'pg_dump'), [...dumpOptions(whole), '-Fc', '-f', path, '-d', place.uri], { env: LOOK_ENV });
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/**
 * Makes kept definitions again in an empty database beside their place, with nothing but Postgres's own tools, and reads them back. What
 * Postgres words differently the second time (brackets that it flattens, casts that it moves) is worded like this after any restore.
 */
export async function rereadDefinitions(place: Place, { path }: KeptDefinitions): Promise<Map<string, string>> {
  const name = `reread_${randomBytes(6).toString('hex')}`;
  const uri = inDatabase(place.uri, name);
  const [facts = ''] = (
    await psql(
      place.uri,
      `select format('encoding %L lc_collate %L lc_ctype %L locale_provider %s %s', pg_encoding_to_char(encoding), datcollate, datctype,
        case datlocprovider when 'i' then 'icu' when 'b' then 'builtin' else 'libc' end,
        case datlocprovider when 'i' then format('icu_locale %L', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'))
          when 'b' then format('builtin_locale %L', to_jsonb(d) ->> 'datlocale') else '' end)
       from pg_database d where datname = current_database()`,
    )
  ).split('\n');
  await psql(inDatabase(place.uri, 'template1'), `create database ${name} template template0 ${facts}`);
  try {
    // Not --exit-on-error: what cannot be made again keeps the words of the source, and is compared with them.
    await run(join(findClient(), 'pg_restore'), ['--no-owner', '--no-acl', '--dbname', uri, path], { env: LOOK_ENV });
    return await dumpDefinitions({ ...place, uri });
  } finally {
    await psql(inDatabase(place.uri, 'template1'), `drop database ${name} with (force)`);
  }
}

function dumpOptions({ schema, without = [] }: Place): string[] {
  const some = schema === undefined ? without.map((name) => `--exclude-schema=${name}`) : [`--schema=${schema}`];
  return ['--schema-only', '--no-owner', '--no-acl', ...some];
}

/** Each entry of a plain dump begins with a comment that gives name, type and schema. */
function entriesOf(dump: string): Map<string, string> {
  const entries = new Map<string, string>();
  const parts = dump.split(/^--\n-- Name: (.*?); Type: ([A-Z ]+); Schema: (.*?); Owner: .*\n--\n/m);
  for (let at = 1; at < parts.length; at += 4) {
    const [name = '', type = '', schema = '', text = ''] = parts.slice(at, at + 4);
    const key = `${type} ${schema === '-' ? '' : `${schema}.`}${name}`;
    const words = text
      .split('\n')
      .filter((line) => !/^(--|SET default_|\\(un)?restrict|$)/.test(line))
      .join('\n');
    // The schema public when it only has another owner: a comment.
    if (words !== '') entries.set(key, [...(entries.has(key) ? [entries.get(key)] : []), words].sort().join('\n'));
  }
  return entries;
}

function inDatabase(uri: string, database: string): string {
  return uri.replace(/^(postgres(?:ql)?:\/\/[^/]*\/)[^?]*/, (_, before: string) => before + database);
}
