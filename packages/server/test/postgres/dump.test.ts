import { createWriteStream } from 'node:fs';
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { FluxError, isFluxError } from '@flux/contract/errors';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tapToc } from '../../src/postgres/archive/tap-toc.ts';
import { readArchiveToc } from '../../src/postgres/archive/toc.ts';
import { walkArchive, walkArchiveStream } from '../../src/postgres/archive/walk.ts';
import { chooseCompression, dumpDatabase } from '../../src/postgres/dump.ts';
import { openSnapshot } from '../../src/postgres/snapshot.ts';
import type { PostgresTarget } from '../../src/postgres/target.ts';
import { startCluster, type TestCluster } from './cluster.ts';

let cluster: TestCluster;
let folder: string;
let source: PostgresTarget;
let archive: string;
let bytes: Buffer;

const dumpTo = async (path: string, schema?: string, target = source) => {
  await using snapshot = await openSnapshot(target);
  return await dumpDatabase({
    tools: cluster.tools,
    target,
    snapshotId: snapshot.id,
    schema,
    compression: await chooseCompression(cluster.tools, cluster.account),
    account: cluster.account,
    onStdout: (stdout) => pipeline(stdout, createWriteStream(path)),
  });
};

beforeAll(async () => {
  cluster = await startCluster();
  folder = await mkdtemp(join(tmpdir(), 'flux-test-dump-'));
  source = await cluster.createDatabase('source');
  await cluster.run(
    'source',
    `CREATE TABLE a (id int PRIMARY KEY, t text);
     INSERT INTO a SELECT i, md5(i::text) FROM generate_series(1, 3000) i;
     CREATE TABLE "Odd ""name"" of
 table" (x int); CREATE SCHEMA "Te.n*nt ""1"""; CREATE TABLE "Te.n*nt ""1""".inside (x int); CREATE SCHEMA tenant; CREATE TABLE tenant.other (x int);
     INSERT INTO "Te.n*nt ""1""".inside VALUES (1);
     CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; COMMENT ON TABLE a IS 'words';
     SELECT lo_from_bytea(0, 'hello'), lo_from_bytea(0, decode(repeat('00ff', 5000), 'hex'));`,
  );
  archive = join(folder, 'source.dump');
  await dumpTo(archive);
  bytes = await readFile(archive);
});

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const walkBytes = (content: Buffer) => walkArchiveStream(Readable.from([content]));

describe('pg_dump', () => {
  it('writes an archive that the walker accepts to the last byte', async () => {
    let seen = 0;
    const summary = await walkArchive(archive, { onBytes: (total) => (seen = total) });

    expect(summary.sizeBytes).toBe(bytes.length);
    expect(seen).toBe(bytes.length);
    expect(summary.header).toMatchObject({
      compression: 'gzip',
      database: 'source',
      dumpVersion: expect.stringContaining(cluster.tools.version),
    });
    expect(summary.tables).toBe(4);
    expect(summary.tableData).toBe(4);
    expect(summary.largeObjects).toBe(2);
    expect(summary.schemas).toEqual(expect.arrayContaining(['public', 'tenant', 'Te.n*nt "1"']));
    expect((await readArchiveToc(archive)).entries).toEqual(summary.entries);
  });

  it('dumps exactly the schema that is named, however it is spelt, and no large object', async () => {
    const path = join(folder, 'tenant.dump');
    await dumpTo(path, 'Te.n*nt "1"');

    const summary = await walkArchive(path);
    expect(summary.entries.filter(({ kind }) => kind === 'TABLE').map(({ schema, tag }) => [schema, tag])).toEqual([
      ['Te.n*nt "1"', 'inside'],
    ]);
    expect(summary.entries.some(({ kind }) => kind === 'BLOBS' || kind === 'ACL')).toBe(false);
  });

  it('fails with the words of pg_dump when the schema does not exist', async () => {
    const error = await dumpTo(join(folder, 'none.dump'), 'nobody').catch((reason: unknown) => reason);
    expect(isFluxError(error, 'dump_failed')).toBe(true);
    expect(error).toMatchObject({ message: expect.stringContaining('no matching schemas'), details: { exitCode: 1, signal: null } });
  });

  it('fails with the words of pg_dump where what it wrote is no archive', async () => {
    await using snapshot = await openSnapshot(source);
    const failed = dumpDatabase({
      tools: cluster.tools,
      target: source,
      snapshotId: snapshot.id,
      schema: 'nowhere',
      compression: { algorithm: 'gzip', level: 1 },
      account: cluster.account,
      onStdout: async (stdout) => {
        for await (const _ of tapToc(stdout).bytes);
      },
    });
    await expect(failed).rejects.toMatchObject({ code: 'dump_failed', message: expect.stringContaining('nowhere') });
  });

  it('fails with the error of the consumer, not with a broken pipe', async () => {
    await using snapshot = await openSnapshot(source);
    const dump = dumpDatabase({
      tools: cluster.tools,
      target: source,
      snapshotId: snapshot.id,
      compression: { algorithm: 'gzip', level: 1 },
      account: cluster.account,
      onStdout: async (stdout) => {
        for await (const _ of stdout) throw new FluxError('volume_full', 'No room.');
      },
    });
    await expect(dump).rejects.toMatchObject({ code: 'volume_full' });
  });

  it('fails when pg_dump is killed in the middle, and when it is aborted', async () => {
    await using snapshot = await openSnapshot(source);
    const request = {
      tools: cluster.tools,
      target: source,
      snapshotId: snapshot.id,
      compression: { algorithm: 'gzip', level: 1 } as const,
      account: cluster.account,
      onStdout: async (stdout: Readable) => {
        for await (const _ of stdout);
      },
    };
    const killed = dumpDatabase({ ...request, onSpawn: (pid) => process.kill(pid, 'SIGKILL') });
    await expect(killed).rejects.toMatchObject({ code: 'dump_failed', details: { signal: 'SIGKILL' } });
    const controller = new AbortController();
    const aborted = dumpDatabase({ ...request, signal: controller.signal, onSpawn: () => controller.abort(new Error('stop')) });
    await expect(aborted).rejects.toThrow('stop');
  });

  it('ends when the server makes pg_dump keep more than it may, and says so', async () => {
    await cluster.run('source', `CREATE SCHEMA large; CREATE TABLE large.t AS SELECT repeat('x', 200 * 1024 * 1024) AS v`);
    await using snapshot = await openSnapshot(source);
    const request = {
      tools: cluster.tools,
      target: source,
      snapshotId: snapshot.id,
      schema: 'large',
      compression: { algorithm: 'gzip', level: 1 } as const,
      account: cluster.account,
      onStdout: async (stdout: Readable) => {
        for await (const _ of stdout);
      },
    };
    const small = dumpDatabase({ ...request, memoryBytes: 256 * 2 ** 20 });
    await expect(small).rejects.toMatchObject({ code: 'dump_failed', hint: expect.stringContaining('FLUX_DUMP_MEMORY') });
    expect(await dumpDatabase({ ...request, memoryBytes: 2 ** 30 })).toMatchObject({ warnings: [] });
    const tools = { ...cluster.tools, pgDump: '/nonexistent/pg_dump' };
    await expect(dumpDatabase({ ...request, tools, memoryBytes: 2 ** 30 })).rejects.toMatchObject({ code: 'postgres_missing' });
    await cluster.run('source', 'DROP SCHEMA large CASCADE');
  });

  it('fails loudly for a role that row security hides rows from', async () => {
    await cluster.run(
      'source',
      `CREATE ROLE weak LOGIN; CREATE SCHEMA rls; GRANT USAGE ON SCHEMA rls TO weak; CREATE TABLE rls.t (x int);
       ALTER TABLE rls.t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON rls.t TO weak; CREATE POLICY p ON rls.t USING (false)`,
    );
    const dump = dumpTo(join(folder, 'weak.dump'), 'rls', { ...source, user: 'weak' });
    await expect(dump).rejects.toMatchObject({ code: 'dump_failed', message: expect.stringContaining('row-level security') });
  });
});

describe('the walk through an archive', () => {
  it('finds every truncation', async () => {
    const cuts = new Set([0, 1, 5, 11, bytes.length - 1, bytes.length - 2, bytes.length - 5, bytes.length - 6]);
    for (let cut = 0; cut < bytes.length; cut += 97) cuts.add(cut);
    for (const cut of cuts)
      await expect(walkBytes(bytes.subarray(0, cut)), `cut at ${cut}`).rejects.toMatchObject({ code: 'artifact_invalid' });
    const path = join(folder, 'cut.dump');
    await writeFile(path, bytes);
    await truncate(path, bytes.length - 3);
    await expect(walkArchive(path)).rejects.toMatchObject({ code: 'artifact_invalid' });
  });

  it('finds what follows the end', async () => {
    const path = join(folder, 'longer.dump');
    await writeFile(path, bytes);
    await appendFile(path, 'x');
    await expect(walkArchive(path)).rejects.toMatchObject({ code: 'artifact_invalid', details: { byte: bytes.length } });
  });

  it('answers any flipped byte with an error of ours or with success', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] as number) ^ mask;
        await walkBytes(changed).catch((error: unknown) => expect(isFluxError(error, 'artifact_invalid')).toBe(true));
      }),
      { numRuns: 2000 },
    );
  });

  it('answers any bytes at all behind the magic with an error of ours', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (tail) => {
        const head = bytes.subarray(0, 11);
        await expect(walkBytes(Buffer.concat([head, tail]))).rejects.toMatchObject({ code: 'artifact_invalid' });
      }),
      { numRuns: 500 },
    );
  });

  it('gives the same answer however the bytes are cut into chunks', async () => {
    const whole = await walkBytes(bytes);
    const pieces: Buffer[] = [];
    for (let at = 0, size = 1; at < bytes.length; at += size, size = (size % 13) + 1) pieces.push(bytes.subarray(at, at + size));
    expect(await walkArchiveStream(Readable.from(pieces))).toEqual(whole);
  });

  it('says that a file is gone when it is gone', async () => {
    await expect(walkArchive(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'artifact_gone' });
  });
});
