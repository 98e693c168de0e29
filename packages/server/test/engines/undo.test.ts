import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { requireCapability } from '../../src/engines/capabilities.ts';
import { createDedicatedEngine } from '../../src/engines/dedicated/engine.ts';
import { instanceIdOf } from '../../src/engines/dedicated/names.ts';
import type { Engine, EngineProject } from '../../src/engines/engine.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { makeProject, quietLog } from './project.ts';
import { clock, openTestRuntime, standings, type TestRuntime } from './runtime.ts';

let place: TestRuntime;
let engine: Engine;
let project: EngineProject;

beforeAll(async () => {
  place = await openTestRuntime();
  const { runtime, toolbox, major } = place;
  engine = createDedicatedEngine({ runtime, standings, clock, toolbox, defaultMajor: () => major, publicHost: '127.0.0.1', log: quietLog });
  project = makeProject('v1_dedicated');
  await engine.provision(project);
}, 60_000);

afterAll(() => place?.close());

it('never swaps in what was replaced and is half removed, and removes the rest of it', async () => {
  const undo = requireCapability(engine, 'undo', project);
  const [whole, half] = ['bloom_atelier_before_20260620171833', 'bloom_atelier_before_20260621000000'];
  await using admin = await connectPostgres(place.runtime.superuser(instanceIdOf(project)));
  await admin.run(`create database ${whole}`);
  await admin.run(`create database ${half}`);
  // So does DROP DATABASE before it removes the first file.
  await admin.run(`update pg_database set datconnlimit = -2 where datname = '${half}'`);

  expect(await undo.list(project)).toEqual([
    { name: half, replacedAt: new Date('2026-06-21T00:00:00Z'), sizeBytes: expect.any(Number), isWhole: false },
    { name: whole, replacedAt: new Date('2026-06-20T17:18:33Z'), sizeBytes: expect.any(Number), isWhole: true },
  ]);
  const { undoName } = await undo.swapBack(project);
  expect((await undo.list(project)).map(({ name }) => name)).toEqual([undoName, half]);
  await undo.drop(project, [half, undoName ?? '']);
  expect(await undo.list(project)).toEqual([]);
  await expect(undo.swapBack(project)).rejects.toMatchObject({ code: 'not_found' });
});

it('is kept from the latest time on that was seen, like what goes to the trash, when the clock is behind', async () => {
  const latest = new Date(Math.floor(Date.now() / 1000) * 1000 + 30 * 86_400_000);
  const { runtime, toolbox, major, folder } = place;
  const parts = { runtime, standings, toolbox, defaultMajor: () => major, publicHost: '127.0.0.1', log: quietLog };
  const behind = createDedicatedEngine({ ...parts, clock: { latest: () => latest } });
  const restored = makeProject('v1_dedicated', 'behind');
  await behind.provision(restored);
  const staging = await requireCapability(behind, 'staging', restored).openEmpty(restored);
  await staging.swapIn('keep');
  const undo = requireCapability(behind, 'undo', restored);
  expect(await undo.list(restored)).toMatchObject([{ replacedAt: latest }]);
  await undo.swapBack(restored);
  expect(await undo.list(restored)).toMatchObject([{ replacedAt: new Date(latest.getTime() + 1000) }]);

  // A creation that is cut off again meanwhile finds the name taken.
  await behind.remove(restored, { to: 'trash' });
  await behind.provision(restored);
  await behind.remove(restored, { to: 'trash' });
  const nameAt = (time: number) => `${new Date(time).toISOString().replaceAll(':', '-')}-${instanceIdOf(restored)}`;
  expect((await readdir(join(folder, 'trash'))).sort()).toEqual([nameAt(latest.getTime()), nameAt(latest.getTime() + 1)]);
  const week = 7 * 86_400_000;
  expect(await runtime.emptyTrash(week, new Date(latest.getTime() + week - 1), expect.unreachable)).toEqual([]);
  expect(await runtime.emptyTrash(week, new Date(latest.getTime() + week + 1), expect.unreachable)).toHaveLength(2);
}, 60_000);
