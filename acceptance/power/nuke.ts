import type { EngineKind } from '@flux/contract/labels';
import { backUp } from '../harness/backups.ts';
import { EVERYTHING } from '../harness/comeback.ts';
import type { Flux } from '../harness/flux.ts';
import { findCommonLitter, listInPostgres } from './litter.ts';
import type { Prepared, Scenario } from './scenario.ts';
import { readCatalog, readData, readFiles, settle, shortIdOf } from './state.ts';

/** `flux nuke`: the project is there with all that it has, or it is removed and its backups are there. */
export function nuke(engine: EngineKind): Scenario {
  return { name: 'nuke', engine, prepare: (flux, serial) => prepare(flux, engine, serial) };
}

async function prepare(flux: Flux, engine: EngineKind, serial: number): Promise<Prepared> {
  const project = await flux.createProject(`doomed-${engine.slice(0, 2)}-${serial}`, engine);
  await flux.push(project, EVERYTHING);
  await backUp(flux, project, '--verify');
  const shortId = await shortIdOf(flux, project);
  await settle(flux, engine, shortId);
  const schema = engine === 'v1_dedicated' ? 'public' : `t_${shortId}_api`;
  const readPostgres = async () => {
    const there = await listInPostgres(flux, engine, shortId);
    return { 'in Postgres': there, data: there.length === 0 ? ('gone' as const) : await readData(project.uri, schema) };
  };
  return {
    command: ['nuke', project.slug, '--hash', project.hash, '--yes'],
    read: async () => ({ ...(await readCatalog(flux, project)), ...(await readPostgres()), files: await readFiles(flux, project) }),
    goal: (old) => ({ ...old, lifecycle: `removed on ${engine}`, 'in Postgres': [], data: 'gone' }),
    whenDone: { exitCode: 4, says: 'has been removed already' },
    findLitter: () => findCommonLitter(flux),
  };
}
