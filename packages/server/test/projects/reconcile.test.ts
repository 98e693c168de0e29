import { randomBytes, randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { OperationId, ProjectId } from '@flux/contract/ids';
import pino from 'pino';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { BlobStore } from '../../src/blobs/store.ts';
import { findOperation, insertOperation } from '../../src/catalog/operations.ts';
import { findProjectById, markProjectRemoved, markProjectRemoving, type ProjectRow } from '../../src/catalog/projects.ts';
import { adoptInTurn, requireUpToDate } from '../../src/compose/reconcile.ts';
import { EngineDirectory } from '../../src/engines/directory.ts';
import type { Engine } from '../../src/engines/engine.ts';
import type { FoundStanding, Standing, StandingSupport } from '../../src/engines/standing.ts';
import { examineFound } from '../../src/projects/reconcile/examine.ts';
import { systemClock } from '../../src/system/clock.ts';
import { createSeal } from '../../src/system/seal.ts';
import { type BackupPlace, openBackupPlace } from '../backups/place.ts';

/** Standings in memory; `afterList` is what another server does when they were read. */
interface Standings extends StandingSupport {
  readonly found: Map<ProjectId, FoundStanding>;
  afterList: () => Promise<void>;
}

let place: BackupPlace;
let dedicated: Standings;
let pooled: Standings;
beforeAll(async () => {
  place = await openBackupPlace();
}, 60_000);
afterAll(() => place?.[Symbol.asyncDispose]());
beforeEach(() => {
  dedicated = createStandingsInMemory();
  pooled = createStandingsInMemory();
});

/** What comparing uses, while another server does something before the whole store is listed. */
const depsWhile = (beforeListing: () => Promise<unknown> = async () => undefined) => {
  const { store } = place.deps;
  const listed: BlobStore = {
    ...store,
    async *list(prefix, signal) {
      if (prefix === '') await beforeListing();
      yield* store.list(prefix, signal);
    },
  };
  const seal = createSeal(randomBytes(32));
  const engineOf = (standing: StandingSupport) => ({ name: 'test', standing }) as unknown as Engine;
  const engines = new EngineDirectory({ v1_dedicated: engineOf(dedicated), v2_shared: engineOf(pooled), attached: engineOf(pooled) }, seal);
  return { catalog: place.catalog, engines, store: listed, seal, clock: systemClock, log: pino({ level: 'silent' }) };
};
const examine = async (beforeListing?: () => Promise<unknown>) => (await examineFound(depsWhile(beforeListing))).adoptions;

/** A live project that the catalog says was removed, and a reset of another that waits for a worker. */
const makeOld = async () => {
  const lost = await place.newProject();
  dedicated.found.set(lost.id, standingOf(lost, 'live'));
  await markProjectRemoved(place.catalog.db, lost.id, new Date());
  const id = randomUUID() as OperationId;
  const { id: projectId } = await place.newProject();
  const row = { id, projectId, kind: 'reset', touches: 'project', backupId: null, requestedBy: null, request: {} } as const;
  await insertOperation(place.catalog.db, { ...row, createdAt: new Date(), workerId: null });
  return { lost, stateOf: async () => (await findOperation(place.catalog.db, id))?.state };
};

it('finds nothing when another server completes a backup while the store is listed', async () => {
  const project = await place.newProject();
  const first = await place.addBackup(project, 'complete');
  expect(await examine(() => place.addBackup(project, 'complete'))).toEqual([]);
  expect(await examine()).toEqual([]);
  rmSync(first.path);
  expect(await examine()).toEqual([]);
});

it('finds nothing when another server removes a project after its standing was read', async () => {
  const project = await place.newProject();
  dedicated.found.set(project.id, standingOf(project, 'live'));
  dedicated.afterList = async () => {
    dedicated.found.set(project.id, standingOf(project, 'removing'));
    await markProjectRemoving(place.catalog.db, project.id);
    dedicated.found.delete(project.id);
    await markProjectRemoved(place.catalog.db, project.id, new Date());
  };
  expect(await examine()).toEqual([]);
});

it('finds a project whose data says that it is live when the catalog says that it was removed', async () => {
  const project = await place.newProject();
  dedicated.found.set(project.id, standingOf(project, 'live'));
  await markProjectRemoved(place.catalog.db, project.id, new Date());
  const [found] = await examine();
  expect(found?.found).toContain(`${project.slug} (${project.hash}) is live in a server of its own`);
});

it('finds nothing when a move was committed, and the pool does not say yet that the project has left', async () => {
  const project = await place.newProject();
  pooled.found.set(project.id, {
    ...standingOf(project, 'live'),
    project: { ...standingOf(project, 'live').project, engine: 'v2_shared' },
  });
  expect(await examine()).toEqual([]);
});

it('refuses a start until what an old catalog calls under way has ended, wherever an adoption is cut off', async () => {
  const { lost, stateOf } = await makeOld();
  const [first, second] = await examine();
  expect(first?.found).toContain('(reset); they will not be begun again');
  expect(second?.found).toContain(lost.slug);
  await first?.apply?.();
  expect(await stateOf()).toBe('failed');
  await expect(requireUpToDate(depsWhile())).rejects.toThrow(lost.slug);
  await second?.apply?.();
  expect(await requireUpToDate(depsWhile())).toEqual({ open: [], unknownEngines: [] });
});

it('says which engines hold what nobody could see', async () => {
  pooled.list = async () => {
    throw new Error('it recovers');
  };
  const { open, unknownEngines } = await requireUpToDate(depsWhile());
  expect(unknownEngines).toEqual(['v2_shared']);
  expect(open).toEqual([expect.stringContaining('The pool was not compared with the catalog: it recovers')]);
});

it('adopts nothing after operations that cannot be ended', async () => {
  const { lost, stateOf } = await makeOld();
  await place.catalog.executeSql(
    `create function refuse() returns trigger language plpgsql as $$ begin raise 'locked for too long'; end $$;
     create trigger refuse before update on operations for each row execute function refuse()`,
  );
  const lines: string[] = [];
  const adopting = adoptInTurn(place, await examine(), (line) => lines.push(line));
  await expect(adopting).rejects.toThrow('1 of 2 could not be adopted');
  expect(lines).toEqual([
    expect.stringMatching(/^✗ 1 operations .* and Flux does not start before it is: locked for too long$/),
    '! What comes after it (1) was left as it is, and is adopted once it is.',
  ]);
  await expect(requireUpToDate(depsWhile())).rejects.toThrow('they will not be begun again');
  expect(await stateOf()).toBe('queued');

  await place.catalog.executeSql('drop function refuse cascade');
  await adoptInTurn(place, await examine(), () => undefined);
  expect(await stateOf()).toBe('failed');
  expect((await findProjectById(place.catalog.db, lost.id))?.lifecycle).toBe('active');
  expect(await requireUpToDate(depsWhile())).toEqual({ open: [], unknownEngines: [] });
});

function createStandingsInMemory(): Standings {
  const found = new Map<ProjectId, FoundStanding>();
  const standings: Standings = {
    found,
    afterList: async () => undefined,
    read: async ({ id }) => found.get(id) ?? 'absent',
    write: async (standing) => void found.set(standing.project.id, standing),
    list: async () => {
      const all = [...found.values()].flatMap((standing) => (standing === 'absent' ? [] : [{ place: 'here', found: standing }]));
      await standings.afterList();
      return all;
    },
  };
  return standings;
}

function standingOf({ id, hash, slug }: ProjectRow, standing: Standing['standing']): Standing {
  const now = new Date().toISOString();
  return {
    format: 1,
    standing,
    at: now,
    project: { id, hash, slug, engine: 'v1_dedicated', owner: 'test', createdAt: now, sealedSecrets: '' },
  };
}
