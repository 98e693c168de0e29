import type { Difference } from '@flux/contract/backup';
import { expect } from 'vitest';
import { changedDefinitions } from '../../src/postgres/manifest/changed-definitions.ts';
import { compareManifests } from '../../src/postgres/manifest/compare.ts';
import { measureRestored } from '../../src/postgres/manifest/measure.ts';
import type { TestCluster } from './cluster.ts';
import { judgeIn, type RoundTrip } from './round-trip.ts';

let number = 0;

/** Changes a copy of a restored database by SQL, and gives what a verification finds different there. The comparison changes nothing. */
export async function compareChangedCopy(
  cluster: TestCluster,
  { path, manifest }: Pick<RoundTrip, 'path' | 'manifest'>,
  restored: string,
  sql: string,
): Promise<readonly Difference[]> {
  const name = `changed_${++number}`;
  const target = await cluster.cloneDatabase(name, restored);
  await cluster.run(name, sql);
  const measure = () => measureRestored({ target, manifest, server: 'disposable', parallel: 1 });
  const found = await measure();
  const judged = await judgeIn(cluster, target, { path, manifest }, changedDefinitions(manifest, found));
  expect((await measure()).objects, 'the comparison has changed the database').toEqual(found.objects);
  await cluster.run('postgres', `drop database ${name}`);
  return compareManifests(manifest, found, judged).differences;
}
