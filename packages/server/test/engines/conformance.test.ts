import type { Capability } from '@flux/contract/capability';
import { createAttachedEngine } from '../../src/engines/attached/engine.ts';
import { createDedicatedEngine } from '../../src/engines/dedicated/engine.ts';
import { instanceIdOf } from '../../src/engines/dedicated/names.ts';
import type { Engine, EngineProject } from '../../src/engines/engine.ts';
import { embeddedSharedCluster } from '../../src/engines/shared/cluster.ts';
import { createSharedEngine } from '../../src/engines/shared/engine.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import type { PostgresTarget } from '../../src/postgres/target.ts';
import { describeEngine, type EnginePlace } from '../conformance/engine.ts';
import { makeProject, quietLog, uriOf } from './project.ts';
import { clock, openTestRuntime, standings, type TestRuntime } from './runtime.ts';

/** Every database, schema and role of a server that was not there at initdb, sorted. */
async function namesOf(target: PostgresTarget): Promise<string[]> {
  await using session = await connectPostgres(target);
  const rows = await session.query<{ name: string }>(
    `select datname as name from pg_database where oid >= 16384 union select nspname from pg_namespace where oid >= 16384
      union select rolname from pg_roles where oid >= 16384 order by name`,
  );
  return rows.map(({ name }) => name);
}

function placeOf(
  { toolbox, close }: TestRuntime,
  engine: Engine,
  capabilities: readonly Capability[],
  more: Pick<EnginePlace, 'prepareProject' | 'traces'>,
): EnginePlace {
  return { engine, capabilities, toolbox, release: close, ...more };
}

describeEngine('the dedicated engine', async () => {
  const place = await openTestRuntime();
  const { runtime, toolbox, major } = place;
  const engine = createDedicatedEngine({
    runtime,
    standings,
    clock,
    toolbox,
    defaultMajor: () => major,
    publicHost: '127.0.0.1',
    log: quietLog,
  });
  return placeOf(place, engine, ['power', 'staging', 'undo'], {
    prepareProject: async (slug) => makeProject('v1_dedicated', slug),
    traces: async (project) => {
      const id = instanceIdOf(project);
      const { state } = await runtime.status(id);
      return state === 'missing' ? [] : [id, ...(await namesOf(runtime.superuser(id)))];
    },
  });
});

describeEngine('the shared engine', async () => {
  const place = await openTestRuntime();
  const cluster = embeddedSharedCluster({ runtime: place.runtime, major: () => place.major, publicHost: '127.0.0.1' });
  const engine = createSharedEngine({ cluster, standings, clock, log: quietLog });
  const shared = async () => ((await cluster.status()).state === 'missing' ? [] : await namesOf(cluster.admin()));
  return placeOf(place, engine, ['staging', 'undo', 'pooled'], {
    prepareProject: async (slug) => makeProject('v2_shared', slug),
    traces: async (project) => {
      const mark = project.id.replaceAll('-', '').slice(0, 12);
      return (await shared()).filter((name) => name.includes(mark));
    },
  });
});

describeEngine('the attached engine', async () => {
  const place = await openTestRuntime();
  await place.runtime.create({ id: 'theirs', major: place.major, network: 'loopback' });
  const { port } = await place.runtime.status('theirs');
  const superuser = place.runtime.superuser('theirs');
  let count = 0;
  const targetOf = (project: EngineProject): PostgresTarget => ({
    ...superuser,
    database: new URL(project.secrets.attachedUri ?? '').pathname.slice(1),
  });
  return placeOf(
    place,
    createAttachedEngine({ toolbox: place.toolbox, foreign: { lookWithinMs: 60_000, addresses: { resolve: async () => [] } } }),
    [],
    {
      prepareProject: async (slug) => {
        const name = `theirs_${count++}`;
        await using admin = await connectPostgres(superuser);
        await admin.run(`create role ${name} login bypassrls password 'secret'`);
        await admin.run(`create database ${name} owner ${name}`);
        return makeProject(
          'v1_dedicated',
          slug,
          uriOf({ host: '127.0.0.1', port: port ?? 0, user: name, password: 'secret', database: name }),
        );
      },
      traces: (project) => namesOf(targetOf(project)),
    },
  );
});
