import type { Capability } from '@flux/contract/capability';
import { isFluxError } from '@flux/contract/errors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { capabilitiesOf, requireCapability } from '../../src/engines/capabilities.ts';
import type { Engine, EngineProject } from '../../src/engines/engine.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import type { PostgresTarget, PostgresToolbox } from '../../src/postgres/target.ts';
import { libpqEnvironment } from '../../src/postgres/target.ts';
import { runProcess } from '../../src/system/process.ts';
import { listMigrations, pushOf, runPush } from '../engines/project.ts';
import { eventually } from './instance-runtime.ts';

/** An engine, and what the suite needs to see its projects from outside. */
export interface EnginePlace {
  readonly engine: Engine;
  readonly capabilities: readonly Capability[];
  readonly toolbox: PostgresToolbox;
  /** A project that is not provisioned yet, with names that no other project has. For an attached engine its database exists. */
  prepareProject(slug: string): Promise<EngineProject>;
  /** Names of every database, schema, role and instance that belongs to the project now. */
  traces(project: EngineProject): Promise<readonly string[]>;
  release(): Promise<void>;
}

const VERSIONED = { mode: 'versioned', version: '001' } as const;

async function ask(target: PostgresTarget, sql: string): Promise<unknown[]> {
  await using session = await connectPostgres(target, { searchPath: 'role' });
  return await session.query(sql);
}

/** What every Engine promises, and what each capability that it has promises. */
export function describeEngine(name: string, preparePlace: () => Promise<EnginePlace>): void {
  describe(`${name} keeps the promises of Engine`, () => {
    let place: EnginePlace;
    let engine: Engine;
    let project: EngineProject;
    const login = () => engine.credentials(project);

    beforeAll(async () => {
      place = await preparePlace();
      engine = place.engine;
      project = await place.prepareProject('bloom-atelier');
      await engine.provision(project);
    }, 60_000);
    afterAll(() => place?.release());

    it('provisions again without losing anything', async () => {
      await runPush(engine, project, pushOf('create table kept (id int); insert into kept values (1)'));
      const before = await place.traces(project);
      await engine.provision(project);
      expect(await place.traces(project)).toEqual(before);
      expect(await ask(await login(), 'select id from kept')).toEqual([{ id: 1 }]);
      await runPush(engine, project, pushOf('drop table kept'));
    });

    it('tells where a running project is, and on which Postgres', async () => {
      const { state, problem, port, major, postgresVersion } = await engine.status(project);
      expect({ state, problem }).toEqual({ state: 'running', problem: null });
      expect(port).toBe((await login()).port);
      expect(postgresVersion).toMatch(new RegExp(`^${major}\\.`));
    });

    it('gives a login that is not a superuser and finds the pushed tables by their bare names', async () => {
      await runPush(engine, project, pushOf('create table visible (id int); insert into visible values (7)'));
      const facts = await ask(
        await login(),
        `select (select id from visible) as id, c.relnamespace::regnamespace::text as schema, r.rolsuper as super
           from pg_class c, pg_roles r where c.relname = 'visible' and r.rolname = current_user`,
      );
      expect(facts).toEqual([{ id: 7, schema: engine.apiSchema(project), super: false }]);
      await runPush(engine, project, pushOf('drop table visible'));
    });

    it('names its roles in one order, without repeating any', () => {
      const names = engine.roleNames(project);
      expect(engine.roleNames(project)).toEqual(names);
      expect(new Set(names).size).toBe(names.length);
    });

    it('gives a source whose dump holds every row, also behind forced row level security, and nothing of another project', async () => {
      const other = await place.prepareProject('other-shop');
      await engine.provision(other);
      await runPush(engine, other, pushOf('create table foreign_to_us (id int)'));
      await runPush(
        engine,
        project,
        pushOf(`create table guarded (id int); insert into guarded values (424242);
          alter table guarded enable row level security; alter table guarded force row level security`),
      );
      const { target, major, schema } = await engine.backupSource(project);
      const { pgDump = '' } = place.toolbox.require(major, 'client');
      const args = schema === undefined ? [] : [`--schema=${schema}`];
      const dump = await runProcess(pgDump, args, { env: libpqEnvironment(target) });
      expect(dump).toMatchObject({ exitCode: 0, stderr: '' });
      expect(dump.stdout).toContain('424242');
      expect(dump.stdout).not.toContain('foreign_to_us');
      await engine.remove(other);
      expect(await ask(target, `select count(*)::int as n from ${engine.apiSchema(project)}.guarded`)).toEqual([{ n: 1 }]);
      await runPush(engine, project, pushOf('drop table guarded'));
    });

    it('counts what was written', async () => {
      await runPush(engine, project, pushOf('create table counted (id int)'));
      const inserted = async () => {
        const { isCounting, tables } = await engine.readChangeMarks(project);
        expect(isCounting).toBe(true);
        return Object.values(tables).reduce((sum, [, rows]) => sum + rows, 0);
      };
      const before = await inserted();
      await runPush(engine, project, pushOf('insert into counted select generate_series(1, 500)'));
      await eventually(async () => expect(await inserted()).toBeGreaterThanOrEqual(before + 500));
      await runPush(engine, project, pushOf('drop table counted'));
    });

    it('commits a script and its line of the ledger together, once, or neither', async () => {
      const script = (sql: string, more = {}) => runPush(engine, project, pushOf(sql, { ...VERSIONED, ...more }));
      const sql = 'create table orders (id int)';
      await expect(script(`${sql}; select 1 / 0`)).rejects.toMatchObject({ code: 'sql_failed' });
      await script(sql, { dryRun: true });
      expect(await listMigrations(engine, project)).toEqual([]);
      expect(await ask(await login(), `select to_regclass('orders') as found`)).toEqual([{ found: null }]);

      const both = await Promise.all([script(sql), script(sql)]);
      expect(both.map(({ skipped }) => skipped).sort()).toEqual([false, true]);
      expect(await listMigrations(engine, project)).toMatchObject([{ version: '001', filename: '001_init.sql' }]);
      expect(await ask(await login(), 'select * from orders')).toEqual([]);
    });

    it('has the capabilities that it shows, and explains each other one with what to do instead', () => {
      expect(capabilitiesOf(engine)).toEqual(place.capabilities);
      for (const capability of ['power', 'staging', 'undo', 'pooled'] as const) {
        if (place.capabilities.includes(capability)) expect(requireCapability(engine, capability, project)).toBe(engine[capability]);
        else
          expect(() => requireCapability(engine, capability, project)).toThrow(
            expect.objectContaining({
              code: 'invalid_request',
              message: expect.stringContaining(project.slug),
              hint: expect.stringMatching(/./),
            }),
          );
      }
    });

    it('discards a staging without a trace, and swaps one in that an undo swaps back', async ({ skip }) => {
      const { staging, undo } = engine;
      if (staging === undefined || undo === undefined) return skip('not a capability of this engine');
      await runPush(engine, project, pushOf('create table precious (id int); insert into precious values (1)'));
      const before = await place.traces(project);
      await (await staging.openEmpty(project)).discard();
      expect(await place.traces(project)).toEqual(before);

      const found = `select to_regclass('precious')::text as found`;
      const { undoName } = await (await staging.openEmpty(project)).swapIn('keep');
      expect(await ask(await login(), found)).toEqual([{ found: null }]);
      expect(await undo.list(project)).toMatchObject([{ name: undoName, isWhole: true }]);
      const back = await undo.swapBack(project);
      expect(await ask(await login(), found)).toEqual([{ found: 'precious' }]);
      await undo.drop(project, [back.undoName ?? '']);
      expect(await undo.list(project)).toEqual([]);
      await expect(undo.swapBack(project)).rejects.toMatchObject({ code: 'not_found' });
      expect(await place.traces(project)).toEqual(before);
    });

    it('says that a stopped project is stopped, and how to start it', async ({ skip }) => {
      const { power } = engine;
      if (power === undefined) return skip('not a capability of this engine');
      await power.stop(project);
      await power.stop(project);
      expect(await engine.status(project)).toMatchObject({ state: 'stopped', postgresVersion: null });
      const refusal = { code: 'instance_stopped', hint: `Start it with \`flux project start ${project.slug}\`.` };
      // One after the other: a promise that rejects before it is awaited would count as unhandled.
      for (const ask of [engine.backupSource, engine.readChangeMarks, engine.ownerAccess])
        await expect(ask(project)).rejects.toMatchObject(refusal);
      await power.start(project);
      await power.start(project);
      expect(await engine.status(project)).toMatchObject({ state: 'running' });
    }, 30_000);

    it('gives up at once when its signal is aborted', async () => {
      const other = await place.prepareProject('given-up');
      const reason = new Error('not wanted any more');
      const signal = AbortSignal.abort(reason);
      const calls = {
        provision: () => engine.provision(other, signal),
        backupSource: () => engine.backupSource(project, signal),
        readChangeMarks: () => engine.readChangeMarks(project, signal),
        push: () => runPush(engine, project, pushOf('create table late (id int)', { signal })),
      };
      for (const [call, run] of Object.entries(calls))
        await expect(run().then(() => `${call} answered`)).rejects.toSatisfy(
          (error) => error === reason || (error as Error).name === 'AbortError' || isFluxError(error, 'interrupted'),
        );
      expect(await ask(await login(), `select to_regclass('late') as found`)).toEqual([{ found: null }]);
      await engine.remove(other);
    });

    it('removes what it provisioned, repeatably, and nothing else', async () => {
      const gone = await place.prepareProject('gone-shop');
      const before = await place.traces(gone);
      await engine.provision(gone);
      await engine.remove(gone);
      await engine.remove(gone);
      expect(await place.traces(gone)).toEqual(before);
      expect(await engine.status(project)).toMatchObject({ state: 'running' });
    });
  });
}
