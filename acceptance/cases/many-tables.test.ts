import { describe } from 'vitest';
import { psql, type ThrowAwayCluster } from '../harness/postgres.ts';
import { describeWholeDatabase } from './whole-database.ts';

const TABLES = 2500;
/** As many as one transaction can make: each table has a sequence, an index and a TOAST table. */
const AT_ONCE = 500;

async function makeManyTables(cluster: ThrowAwayCluster): Promise<string> {
  await psql(cluster.uri('postgres'), 'create database many template template0');
  const uri = cluster.uri('many');
  for (let from = 1; from < TABLES; from += AT_ONCE)
    await psql(
      uri,
      `do $$ begin for i in ${from}..${from + AT_ONCE - 1} loop execute format('create table t%s (id serial primary key, v text)', i); end loop; end $$`,
    );
  await psql(uri, `insert into t1 (v) values ('first'); insert into t${TABLES} (v) values ('last')`);
  return uri;
}

describe('a database with thousands of tables on servers with stock settings', () => {
  describeWholeDatabase({ slug: 'many', make: makeManyTables, tables: TABLES });
});
