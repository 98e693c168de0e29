import { chmodSync, cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findClient, psql, type ThrowAwayCluster } from '../harness/postgres.ts';
import { run } from '../harness/process.ts';

/** Where the regression tests of PostgreSQL and their library are. */
export interface RegressionSource {
  readonly folder: string;
  readonly library: string;
}

/**
 * Makes the database `regression` as PostgreSQL's own test suite leaves it: the files of its schedule in order, by psql, with the settings
 * of `pg_regress` (src/test/regress/pg_regress.c). Their output is not compared: this is about what they leave behind, whatever it is.
 *
 * @param libraries a folder for its library, where whoever restores the database finds it too
 */
export async function makeRegressionDatabase(cluster: ThrowAwayCluster, source: RegressionSource, libraries: string): Promise<string> {
  // The server reads data and writes results there, as another account.
  const folder = join(cluster.folder, 'regress');
  cpSync(source.folder, folder, { recursive: true });
  chmodSync(libraries, 0o755);
  cpSync(source.library, join(libraries, 'regress.so'));
  for (const part of ['results', 'testtablespace']) mkdirSync(join(folder, part));
  for (const part of ['', 'results', 'testtablespace', 'data']) chmodSync(join(folder, part), 0o777);
  await psql(
    cluster.uri('postgres'),
    `create database regression template template0;
     alter database regression set lc_messages to 'C'; alter database regression set lc_monetary to 'C'; alter database regression set lc_numeric to 'C';
     alter database regression set lc_time to 'C'; alter database regression set bytea_output to 'hex'; alter database regression set timezone_abbreviations to 'Default';`,
  );
  const uri = cluster.uri('regression');
  const env = {
    PGTZ: 'PST8PDT',
    PGDATESTYLE: 'Postgres, MDY',
    PG_ABS_SRCDIR: folder,
    PG_ABS_BUILDDIR: folder,
    PG_LIBDIR: libraries,
    PG_DLSUFFIX: '.so',
    LANG: 'C',
  };
  for (const name of scheduleOf(folder))
    await run(
      join(findClient(), 'psql'),
      ['-X', '-a', '-q', '-d', uri, '-v', 'HIDE_TABLEAM=on', '-v', 'HIDE_TOAST_COMPRESSION=on', '-f', join(folder, 'sql', `${name}.sql`)],
      {
        cwd: folder,
        env,
      },
    );
  return uri;
}

/** The tests in the order of the schedule; those of one line may run in any order. */
function scheduleOf(folder: string): string[] {
  return readFileSync(join(folder, 'parallel_schedule'), 'utf8')
    .split('\n')
    .flatMap((line) => /^test: (.*)$/.exec(line)?.[1]?.split(/\s+/) ?? []);
}
