import type { Readable } from 'node:stream';
import type { FluxError } from '@flux/contract/errors';
import { afterAll, afterEach, beforeAll, describe, expect, it, type TestOptions } from 'vitest';
import type { DisposableInstance, DisposableLimits, DisposableProvider, DisposableRequest } from '../../src/disposable/provider.ts';
import { walkArchiveStream } from '../../src/postgres/archive/walk.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { schemaDumpArguments } from '../../src/postgres/dump.ts';
import { ask, eventually } from './instance-runtime.ts';

/** A change of a request; limits that are not named stay. */
export type RequestChange = Partial<Omit<DisposableRequest, 'limits'>> & { limits?: Partial<DisposableLimits> };

/** A provider, and questions about what its instances leave behind. */
export interface DisposablesPlace {
  readonly provider: DisposableProvider;
  /** A request whose archive has the table `orders` with the ids 1 to 100; limits are generous unless changed. */
  request(change?: RequestChange): DisposableRequest;
  /** Names of everything that instances have left behind: processes, containers, folders. */
  traces(): Promise<readonly string[]>;
  release(): Promise<void>;
}

/** What every DisposableProvider promises. */
export function describeDisposables(name: string, options: TestOptions, preparePlace: () => Promise<DisposablesPlace>): void {
  describe(`${name} keeps the promises of DisposableProvider`, options, () => {
    let place: DisposablesPlace;
    const open = (change?: RequestChange) => place.provider.open(place.request(change));

    beforeAll(async () => {
      place = await preparePlace();
    });
    afterEach(async () => expect(await place.traces()).toEqual([]));
    afterAll(() => place?.release());

    it.each([
      ['in one transaction', ['--exit-on-error', '--single-transaction']],
      ['in several jobs', ['--exit-on-error', '--jobs=2']],
    ])('restores an archive %s, on the requested major', async (_, args) => {
      await using instance = await open();
      expect(instance.sandbox).toBe(place.provider.sandbox);
      expect(instance.postgresVersion).toMatch(new RegExp(`^${place.request().major}\\.`));
      expect(await instance.pgRestore(args)).toMatchObject({ exitCode: 0, stderr: '' });
      expect(await ask(instance.superuser, 'select sum(id)::int from orders')).toBe(5050);
      expect([instance.exceeded(), instance.crashed(), instance.gone.aborted]).toEqual([undefined, false, false]);
    });

    it('returns the status and the words of a pg_restore that failed', async () => {
      await using instance = await open({ archivePath: '/etc/passwd' });
      expect(await instance.pgRestore([])).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining('does not appear to be a valid archive'),
      });
    });

    it('dumps what was restored, with given settings, and returns the status of a pg_dump that failed', async () => {
      await using instance = await open();
      expect(await instance.pgRestore(['--exit-on-error'])).toMatchObject({ exitCode: 0 });
      const kinds: string[] = [];
      const dumped = await instance.pgDump({
        args: schemaDumpArguments({}),
        settings: { quote_all_identifiers: 'off' },
        onStdout: async (stdout) => {
          for (const { kind } of (await walkArchiveStream(stdout)).entries) kinds.push(kind);
        },
      });
      expect(dumped).toMatchObject({ exitCode: 0, stderr: '' });
      expect(kinds).toContain('TABLE');
      expect(kinds).not.toContain('TABLE DATA');
      const refused = {
        args: ['--schema=missing', '--strict-names'],
        settings: {},
        onStdout: async (stdout: Readable) => void stdout.resume(),
      };
      expect(await instance.pgDump(refused)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('missing') });
    });

    it('creates the database with the requested encoding and locale', async () => {
      const settings = `select pg_encoding_to_char(encoding) || ' ' || datcollate || ' ' || datctype from pg_database where datname = current_database()`;
      await using usual = await open();
      expect(await ask(usual.superuser, settings)).toBe('UTF8 C.UTF-8 C.UTF-8');
      await using other = await open({ locale: { encoding: 'LATIN1', collate: 'C', ctype: 'C' } });
      expect(await ask(other.superuser, settings)).toBe('LATIN1 C C');
      expect(await ask(other.superuser, `select count(*)::int from pg_class where relnamespace = 'public'::regnamespace`)).toBe(0);
    });

    it('is inconclusive about a locale that it does not have', async () => {
      await expect(open({ locale: { encoding: 'UTF8', collate: 'xx_XX.UTF-8', ctype: 'xx_XX.UTF-8' } })).rejects.toMatchObject({
        code: 'verification_inconclusive',
        message: expect.stringContaining('xx_XX.UTF-8'),
        hint: expect.stringMatching(/localedef -i xx_XX -f UTF-8 xx_XX\.UTF-8|FLUX_BACKUP_VERIFY_POSTGRES_IMAGE/),
      });
      await expect(open({ moneyLocale: 'xx_XX.UTF-8' })).rejects.toMatchObject({
        code: 'verification_inconclusive',
        message: expect.stringContaining('amounts of money as the locale xx_XX.UTF-8 writes them'),
      });
    });

    it('sorts like a source that sorts by ICU', async () => {
      const order = `select string_agg(x, ' ' order by x) from unnest(array['ä', 'z', 'a', 'Z']) x`;
      const plain = { encoding: 'UTF8', collate: 'C.UTF-8', ctype: 'C.UTF-8' };
      await using libc = await open({ locale: { ...plain, localeProvider: 'libc', locale: null } });
      expect(await ask(libc.superuser, order)).toBe('Z a z ä');
      await using icu = await open({ locale: { ...plain, localeProvider: 'icu', locale: 'de-DE-x-icu' } });
      expect(await ask(icu.superuser, order)).toBe('a ä z Z');
    });

    const NEEDS = { libraries: [], extensionLibraries: [], preload: [], settingsWithDatabase: [], dictionaries: [], collations: [] };

    it('names at once all that the server lacks, before anything is restored', async () => {
      const needs = {
        ...NEEDS,
        libraries: ['$libdir/not_here', '/opt/nowhere/lib.so'],
        dictionaries: [
          { name: 'public.fine', template: 'pg_catalog.simple', options: null },
          { name: 'public.absent', template: 'pg_catalog.ispell', options: `dictfile = 'absent', afffile = 'absent'` },
        ],
        collations: ['C.utf8', 'xx_XX.utf8'],
      };
      const extensions = ['hstore', 'vector', 'pg_nowhere'].map((name) => ({ name, schema: 'tools' }));
      const refused = open({ extensions, needs });
      await expect(refused).rejects.toMatchObject({ code: 'verification_inconclusive' });
      const { message, hint } = (await refused.catch((error: unknown) => error)) as FluxError;
      for (const name of ['vector', 'pg_nowhere', 'public.absent', '$libdir/not_here', '/opt/nowhere/lib.so', 'xx_XX.utf8'])
        expect(message).toContain(name);
      for (const name of ['hstore', 'public.fine', 'C.utf8']) expect(message).not.toContain(` ${name}`);
      expect(hint).toMatch(
        place.provider.sandbox === 'docker'
          ? /FLUX_BACKUP_VERIFY_POSTGRES_IMAGE/
          : /apt-get install postgresql-\d+-pgvector.*postgresql-\d+-nowhere.*localedef -i xx_XX/,
      );
    });

    it('leaves the database empty when the server has it all', async () => {
      await using instance = await open({ extensions: [{ name: 'hstore', schema: 'tools' }], needs: NEEDS });
      expect(await ask(instance.superuser, `select count(*)::int from pg_extension`)).toBe(1);
      expect(await ask(instance.superuser, `select count(*)::int from pg_namespace where nspname = 'tools'`)).toBe(0);
    });

    it.each([
      ['that the source loads at its start', ['pg_stat_statements']],
      ['of whose start nothing is known', null],
    ])('loads libraries of extensions %s, without their background workers', async (_, preload) => {
      const extensions = [{ name: 'pg_stat_statements', schema: 'public' }];
      const needs = { ...NEEDS, preload, extensionLibraries: ['pg_stat_statements'], settingsWithDatabase: ['probe.database'] };
      await using instance = await open({ extensions, needs });
      // This extension can be created without its library; where that is refused, the libraries are tried.
      if (preload === null) return expect(await ask(instance.superuser, 'show shared_preload_libraries')).toBe('');
      expect(await ask(instance.superuser, 'show shared_preload_libraries')).toBe('pg_stat_statements');
      expect(await ask(instance.superuser, 'show max_worker_processes')).toBe('0');
      expect(await ask(instance.superuser, 'show probe.database')).toBe('flux_restore');
      await run(instance, 'create extension pg_stat_statements');
      expect(await ask(instance.superuser, 'select count(*) >= 0 from pg_stat_statements')).toBe(true);
    });

    it('keeps several instances apart', async () => {
      const instances = await Promise.all([1, 2, 3].map(() => open()));
      await Promise.all(instances.map((instance, index) => run(instance, `create table mine as select ${index} as number`)));
      await instances[0]?.[Symbol.asyncDispose]();
      expect(instances[0]?.gone.aborted).toBe(true);
      for (const [index, instance] of instances.entries())
        if (index > 0) expect(await ask(instance.superuser, 'select number from mine')).toBe(index);
      await Promise.all(instances.map((instance) => instance[Symbol.asyncDispose]()));
    });

    it('stops when its signal is aborted, while it opens and while it is used', async () => {
      await expect(open({ signal: AbortSignal.timeout(40) })).rejects.toMatchObject({ name: 'TimeoutError' });

      const cancel = new AbortController();
      await using instance = await open({ signal: cancel.signal });
      const asleep = ask(instance.superuser, 'select pg_sleep(300)');
      cancel.abort();
      await expect(asleep).rejects.toThrow();
      expect(instance.gone.aborted).toBe(true);
      expect(instance.crashed()).toBe(false);
      expect((await instance.pgRestore([])).exitCode).not.toBe(0);
    });

    it('ends an instance that takes longer than it may, and says so', async () => {
      await using instance = await open({ limits: { wallClockMs: 2500 } });
      await expect(ask(instance.superuser, 'select pg_sleep(300)')).rejects.toThrow();
      await eventually(async () => expect(instance.exceeded()).toMatchObject({ limit: 'time' }));
      expect([instance.gone.aborted, instance.crashed()]).toEqual([true, false]);
    });

    it('reports a server that a killed backend brought down', async () => {
      await using instance = await open();
      await expect(run(instance, `copy (select 1) to program 'kill -9 $PPID'`)).rejects.toThrow();
      await eventually(async () => expect(instance.crashed()).toBe(true));
      expect(instance.exceeded()).toBeUndefined();
    });

    it('refuses a major that it cannot have', async () => {
      await expect(open({ major: 42 })).rejects.toMatchObject({ code: 'postgres_missing' });
    });
  });
}

async function run(instance: DisposableInstance, sql: string): Promise<void> {
  await using session = await connectPostgres(instance.superuser, { searchPath: 'role' });
  await session.run(sql);
}
