import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { postmasterPid } from '../../../../acceptance/harness/postmaster.ts';
import { findPostmaster } from '../../src/instances/local/postmaster.ts';
import { startCluster, type TestCluster } from '../postgres/cluster.ts';

const place = mkdtempSync(join(tmpdir(), 'flux-postmaster-'));
let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  rmSync(place, { recursive: true, force: true });
});

it('is found through a link to its data folder', async () => {
  const data = join(cluster.folder, 'data');
  const link = join(place, 'link');
  symlinkSync(data, link);
  const pid = postmasterPid(data);
  expect(await findPostmaster(data)).toMatchObject({ pid });
  expect(await findPostmaster(link)).toMatchObject({ pid });
});

const cannotMount = spawnSync('unshare', ['-m', 'true']).status !== 0;

it.skipIf(cannotMount)('is found through a bind mount of its data folder (needs the right to unshare)', async () => {
  const data = join(cluster.folder, 'data');
  const mounted = join(place, 'mounted');
  mkdirSync(mounted);
  const source = fileURLToPath(new URL('../../src/instances/local/postmaster.ts', import.meta.url));
  const script = `import(${JSON.stringify(source)}).then(({ findPostmaster }) => findPostmaster(${JSON.stringify(mounted)})).then((found) => process.stdout.write(String(found?.pid)))`;
  const line = `mount --bind "$1" "$2" && exec "$3" -e "$4"`;
  const answer = spawnSync('unshare', ['-m', 'sh', '-c', line, 'sh', data, mounted, process.execPath, script], { encoding: 'utf8' });
  expect(answer.stdout, answer.stderr).toBe(String(postmasterPid(data)));
});
