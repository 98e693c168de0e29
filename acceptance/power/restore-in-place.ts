import type { EngineKind } from '@flux/contract/labels';
import { backUp } from '../harness/backups.ts';
import { EVERYTHING } from '../harness/comeback.ts';
import type { Flux, TestProject } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { findCommonLitter, listInPostgres } from './litter.ts';
import type { Data, Scenario } from './scenario.ts';
import { readCatalog, readData, settle, shortIdOf } from './state.ts';

/** `flux backup restore --in-place`: the project holds what was live, or what was backed up. */
export function restoreInPlace(engine: EngineKind): Scenario {
  let subject: Promise<Subject> | undefined;
  return {
    name: 'restore in place',
    engine,
    async prepare(flux) {
      // What is live differs from what was backed up by a row each time.
      subject ??= openSubject(flux, engine);
      const { project, schema, shortId, command, backedUp } = await subject;
      await psql(project.uri, `set search_path = ${schema}; insert into customers (name) values ('live')`);
      await settle(flux, engine, shortId);
      return {
        command,
        read: async () => {
          // Each run adds a backup of what was there.
          const { backups, ...catalog } = await readCatalog(flux, project);
          return { ...catalog, data: await readData(project.uri, schema) };
        },
        goal: (old, { data }) => ({ ...old, data: data === 'gone' ? data : { rows: backedUp.rows, objects: data.objects } }),
        whenDone: { exitCode: 0, says: 'now has the data of the backup' },
        findLitter: async () => [...(await findCommonLitter(flux)), ...(await findHalves(flux, engine, shortId))],
      };
    },
  };
}

interface Subject {
  readonly project: TestProject;
  readonly schema: string;
  readonly shortId: string;
  readonly command: readonly string[];
  readonly backedUp: Data;
}

async function openSubject(flux: Flux, engine: EngineKind): Promise<Subject> {
  const project = await flux.createProject(`cut-${engine.slice(0, 2)}`, engine);
  await flux.push(project, EVERYTHING);
  const shortId = await shortIdOf(flux, project);
  const schema = engine === 'v1_dedicated' ? 'public' : `t_${shortId}_api`;
  const id = await backUp(flux, project, '--verify');
  const command = ['backup', 'restore', ...project.flags, '--id', id, '--in-place', '--yes'];
  return { project, schema, shortId, command, backedUp: await readData(project.uri, schema) };
}

/** Once a restore is through, there is the live data and what the newest restore has replaced: nothing half-made, and no second one. */
async function findHalves(flux: Flux, engine: EngineKind, shortId: string): Promise<string[]> {
  const places = (await listInPostgres(flux, engine, shortId)).filter((name) => /^(database|schema|ledger of) /.test(name));
  const kept = places.filter((name) => /^(database|schema) .*_before_\d{14}$/.test(name));
  return [
    ...places.filter((name) => name.endsWith('_next')).map((name) => `${name} is half-made`),
    ...(kept.length === 1 ? [] : [`kept for an undo: ${kept.join(', ')}`]),
  ];
}
