import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createLocalDisposables } from '../../src/disposable/local/provider.ts';
import type { DisposableInstance, DisposableLimits, DisposableProvider, DisposableRequest } from '../../src/disposable/provider.ts';
import { createLocalRuntime } from '../../src/instances/local/runtime.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { libpqEnvironment } from '../../src/postgres/target.ts';
import { systemClock } from '../../src/system/clock.ts';
import { createLog } from '../../src/system/log.ts';
import { runProcess } from '../../src/system/process.ts';
import { commandLineOf, listProcesses } from '../../src/system/process-table.ts';
import { ask } from '../conformance/instance-runtime.ts';
import { type LocalPlace, prepareLocalPlace } from '../instances/local-place.ts';

/** A place for disposable instances, and questions about what they leave there. */
export interface DisposablePlace extends LocalPlace {
  provider(sandbox: 'auto' | 'bubblewrap' | 'unshare' | 'off'): Promise<DisposableProvider>;
  request(change?: Partial<Omit<DisposableRequest, 'limits'>> & { limits?: Partial<DisposableLimits> }): DisposableRequest;
  /** Everything that instances have left: processes, folders and mounts. */
  traces(): Promise<readonly string[]>;
}

export async function prepareDisposablePlace(): Promise<DisposablePlace> {
  const place = await prepareLocalPlace();
  return {
    ...place,
    provider: (sandbox) => createLocalDisposables({ ...place, sandbox, log: createLog('silent') }),
    request: ({ limits, ...change } = {}) => ({
      major: place.major,
      expectedBytes: 1_000_000,
      limits: { memoryBytes: 2 ** 30, diskBytes: 2 ** 30, processes: 40, wallClockMs: 120_000, ...limits },
      locale: { encoding: 'UTF8', collate: 'C.UTF-8', ctype: 'C.UTF-8' },
      extensions: [],
      needs: undefined,
      archivePath: join(place.dataFolder, 'archive.dump'),
      signal: new AbortController().signal,
      ...change,
    }),
    traces: async () => {
      const folders = await Promise.all(
        [join(place.dataFolder, 'disposable'), place.runFolder].map((folder) => readdir(folder).catch(() => [])),
      );
      const lines = await Promise.all((await listProcesses()).map((entry) => commandLineOf(entry.pid)));
      return [
        ...folders.flat(),
        ...lines.filter((line) => line.includes(place.dataFolder)),
        ...(await mountsBelow(dirname(place.dataFolder))),
      ];
    },
  };
}

/** Only those of this place: other programs of the host mount and unmount while a test runs. */
async function mountsBelow(folder: string): Promise<string[]> {
  return (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').filter((line) => line.includes(`${folder}/`));
}

/** Puts something where an artifact would be; not a dump. */
export async function writeNoArchive(place: LocalPlace): Promise<void> {
  await writeFile(join(place.dataFolder, 'archive.dump'), 'PGDMP, or rather not', { mode: 0o600 });
}

/** Runs a program inside, as the author of a dump can, and returns what it printed. Fails as the statement does. */
export async function runInside(instance: DisposableInstance, shell: string): Promise<string> {
  await using session = await connectPostgres(instance.superuser, { searchPath: 'role' });
  await session.run('create temp table said (line text)');
  // Text format reads backslashes; a control character as delimiter makes each line one value.
  await session.run(`copy said from program $flux$${shell}$flux$ with (format csv, delimiter e'\\x01', quote e'\\x02')`);
  return (await session.query<{ line: string }>('select line from said')).map((row) => row.line).join('\n');
}

/** Dumps a small database to where the requests of a place look for their archive, readable for us alone. */
export async function writeDump(place: DisposablePlace): Promise<void> {
  const runtime = createLocalRuntime({ ...place, log: createLog('silent'), clock: systemClock });
  await runtime.open();
  try {
    await runtime.create({ id: 'source', major: place.major, network: 'none' });
    const source = runtime.superuser('source');
    await ask(source, 'create table orders as select id, md5(id::text) as note from generate_series(1, 100) as id');
    await ask(source, 'alter table orders add primary key (id)');
    await mkdir(place.dataFolder, { recursive: true });
    const file = join(place.dataFolder, 'archive.dump');
    const dumped = await runProcess(place.toolbox.require(place.major, 'client').pgDump as string, ['-Fc', '-f', file], {
      env: libpqEnvironment(source),
    });
    if (dumped.exitCode !== 0) throw new Error(`pg_dump failed: ${dumped.stderr}`);
    await runProcess('chmod', ['600', file]);
  } finally {
    await runtime.remove('source');
    await runtime.close('stop');
  }
}
