import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PATH = fileURLToPath(new URL('../../../../../shared/data/chinook.sql', import.meta.url));

/** The Chinook sample database when it is on this machine, otherwise tables of our own with the same number of rows. */
export function sampleSql(): string {
  if (existsSync(PATH)) return readFileSync(PATH, 'utf8');
  return `create table artist (artist_id int primary key, name text);
    create table track (track_id int primary key, artist_id int references artist, name text);
    insert into artist select i, 'artist ' || i from generate_series(1, 600) i;
    insert into track select i, i % 600 + 1, 'Grüße 😀 ' || i from generate_series(1, 15007) i;`;
}

/** SQL that lists every table of a schema with its rows and a digest of them. */
export function contentSql(schema: string): string {
  return `select c.relname as name, (xpath('/row/n/text()', x))[1]::text as rows, (xpath('/row/d/text()', x))[1]::text as digest
    from pg_class c, query_to_xml(format(
      'select count(*) as n, md5(string_agg(t::text, chr(10) order by t::text)) as d from %s t', c.oid::regclass), false, true, '') x
    where c.relkind = 'r' and c.relnamespace = '${schema}'::regnamespace order by 1`;
}
