import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';

const MIB = 2 ** 20;
/** What a file may have beside the database, which is measured. */
const ROOM_MIB = 30;

let flux: Flux;
let project: TestProject;

beforeAll(async () => {
  flux = await startFlux();
  project = await flux.createProject('small', 'v1_dedicated');
  const { used } = await quota();
  const disk = Math.ceil((used.databaseBytes ?? 0) / MIB) + ROOM_MIB;
  expect((await flux.flux('project', 'quota', ...project.flags, '--disk', `${disk}MiB`)).exitCode).toBe(0);
});
afterAll(() => flux?.[Symbol.asyncDispose]());

interface Quota {
  readonly used: { readonly databaseBytes: number | null; readonly backupBytes: number; readonly backups: number };
}
const quota = async () => (JSON.parse((await flux.flux('project', 'quota', ...project.flags, '--json')).stdout) as { quota: Quota }).quota;

/** Bytes that begin like an archive of pg_dump. */
const archive = (mebibytes: number) => {
  const bytes = Buffer.alloc(mebibytes * MIB);
  bytes.set(Buffer.from('PGDMP\x01\x0e\x00\x04\x08\x01', 'latin1'));
  return bytes;
};

/** In pieces, the size is not announced. */
const send = async (bytes: Buffer, as: 'whole' | 'pieces') => {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const answer = await fetch(`${flux.url}/api/v1/projects/${project.hash}/backups/import?sha256=${sha256}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${flux.token()}`, 'content-type': 'application/octet-stream' },
    ...(as === 'whole' ? { body: bytes } : { body: new Blob([bytes]).stream(), duplex: 'half' }),
  } as RequestInit);
  return { status: answer.status, body: (await answer.json()) as { code?: string; error?: string; id?: string } };
};
const storedBytes = async () => {
  const found = await flux.shell(`find ${join(flux.dataFolder, 'backups')} -type f -size +1M -printf '%s\\n'`);
  return found.stdout.split('\n').reduce((sum, size) => sum + Number(size), 0);
};

it('ends reading an archive where the quota of its project ends, and keeps nothing of it', async () => {
  const refused = await send(archive(100), 'pieces');
  expect(refused).toMatchObject({ status: 403, body: { code: 'quota_reached' } });
  const [, readMiB] = /A file of at least ([\d.]+) MiB does not fit/.exec(refused.body.error ?? '') ?? [];
  expect(Number(readMiB)).toBeGreaterThanOrEqual(ROOM_MIB - 1);
  expect(Number(readMiB)).toBeLessThan(ROOM_MIB + 2);
  expect(await storedBytes()).toBe(0);

  const announced = await send(archive(100), 'whole');
  expect(announced).toMatchObject({ status: 403, body: { code: 'quota_reached', error: expect.stringContaining('at least 100.0 MiB') } });
  expect((await quota()).used).toMatchObject({ backups: 0, backupBytes: 0 });
});

it.each(['whole', 'pieces'] as const)('accepts no more archives at once than fit together, sent %s', async (as) => {
  const file = archive(20);
  const answers = await Promise.all([1, 2, 3].map(() => send(file, as)));
  const accepted = answers.filter(({ status }) => status === 202);
  expect(accepted.length).toBeLessThanOrEqual(1);
  if (as === 'whole') expect(accepted).toHaveLength(1);
  for (const { status, body } of answers)
    if (status !== 202) expect({ status, code: body.code }).toEqual({ status: 403, code: 'quota_reached' });
  for (const { body } of accepted) await flux.flux('operation', 'watch', String(body.id));
  // What is no archive after all does not become a backup, and its bytes no longer count.
  expect((await quota()).used).toMatchObject({ backups: 0, backupBytes: 0 });
  expect(await storedBytes()).toBe(0);
});

it('accepts exactly as many requests at the same time as a project may make in a day', async () => {
  const busy = await flux.createProject('busy', 'v1_dedicated');
  expect((await flux.flux('project', 'quota', ...busy.flags, '--operations', '3')).exitCode).toBe(0);
  const bytes = archive(1);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const answers = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const answer = await fetch(`${flux.url}/api/v1/projects/${busy.hash}/backups/import?sha256=${sha256}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${flux.token()}`, 'content-type': 'application/octet-stream' },
        body: bytes,
      });
      await answer.arrayBuffer();
      return answer.status;
    }),
  );
  expect(answers.filter((status) => status === 202)).toHaveLength(3);
  expect(answers.filter((status) => status === 403)).toHaveLength(17);
});
