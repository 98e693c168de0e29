import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sampleOf } from '../scripts/tiers.ts';
import { type Flux, processesOf, startFlux, type TestProject } from './harness/flux.ts';
import { psql } from './harness/postgres.ts';
import { postmasterPid } from './harness/postmaster.ts';
import { pause, until } from './harness/process.ts';
import { catalogUri } from './harness/superuser.ts';

/** About 50 MB that do not compress well, so that there is a middle to be killed in. */
const DATA = `
  create table readings (id bigint primary key, a text not null, b text not null);
  insert into readings select i, md5(i::text) || md5((i * 3)::text), md5((i * 7)::text) from generate_series(1, 300000) i;`;
const ROWS = '300000\n';

let flux: Flux;
let projects: TestProject[];
/** How long an undisturbed create takes here while the other project is verified, in ms, and the other way round. */
const usual = { create: 0, verify: 0 };

beforeAll(async () => {
  flux = await startFlux();
  projects = await Promise.all([flux.createProject('killed', 'v1_dedicated'), flux.createProject('killed-tenant', 'v2_shared')]);
  await Promise.all(projects.map((project) => flux.push(project, DATA)));
  await createAll();
  const [one, other] = projects as [TestProject, TestProject];
  const beganAt = performance.now();
  const sinceThen = () => performance.now() - beganAt;
  [usual.create, usual.verify] = await Promise.all([ask(one, 'create').then(sinceThen), ask(other, 'verify').then(sinceThen)]);
});
afterAll(() => flux?.[Symbol.asyncDispose]());

interface Item {
  readonly id: string;
  readonly status: string;
  readonly sizeBytes: number | null;
  readonly checksumSha256: string | null;
  readonly primaryArtifactRelativePath?: string;
  readonly artifactValidationStatus: string;
  readonly failure: string | null;
}

async function listItems(project: TestProject): Promise<Item[]> {
  const listed = await flux.flux('backup', 'list', ...project.flags, '--all', '--json');
  return (JSON.parse(listed.stdout) as { backups: Item[] }).backups;
}

const backupsFolder = () => join(flux.dataFolder, 'backups');
const filesBelow = (folder: string) => (existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : []);

/** No row claims bytes that are not there, no bytes are there that no row claims, and nothing else was left. */
async function expectTidy(): Promise<void> {
  const claimed = new Set<string>();
  for (const project of projects) {
    for (const item of await listItems(project)) {
      expect(['complete', 'failed']).toContain(item.status);
      if (item.status === 'failed') {
        expect(item.failure).not.toBeNull();
        continue;
      }
      const path = join(backupsFolder(), item.primaryArtifactRelativePath ?? '');
      expect(statSync(path).size).toBe(item.sizeBytes);
      expect(digestOf(path)).toBe(item.checksumSha256);
      claimed.add(path.slice(0, -'.dump'.length));
    }
  }
  const files = filesBelow(backupsFolder()).filter(
    (name) => !/^(receipts\/|\.flux-volume$)/.test(name) && !statSync(join(backupsFolder(), name)).isDirectory(),
  );
  expect(files.filter((name) => !claimed.has(join(backupsFolder(), name).replace(/\.(dump|manifest\.json)$/, '')))).toEqual([]);
  // The one that is kept ready for the next verification is this server's own, and no other is there.
  const there = readdirSync(disposables());
  const ready = there.filter((id) => ownerOf(id) === flux.pid());
  expect(there).toEqual(ready);
  expect(ready.length).toBeLessThan(2);
  expect(filesBelow(join(flux.dataFolder, 'templates')).filter((name) => name.startsWith('.'))).toEqual([]);
  const sockets = readdirSync(join(flux.dataFolder, 'run')).filter((name) => !ready.some((id) => name.endsWith(id)));
  expect(sockets.sort()).toEqual(readdirSync(join(flux.dataFolder, 'instances')).sort());
  expect(strangers().filter((command) => !ready.some((id) => command.includes(id)))).toEqual([]);
}

const digests = new Map<string, string>();

/** SHA-256 of a file, read again only when it was touched. */
function digestOf(path: string): string {
  const { size, mtimeMs, ino } = statSync(path);
  const key = [path, size, mtimeMs, ino].join();
  const digest = digests.get(key) ?? createHash('sha256').update(readFileSync(path)).digest('hex');
  digests.set(key, digest);
  return digest;
}

/** Processes of this control plane that are neither itself nor its instances. */
function strangers(): string[] {
  return [...processesOf(flux.folder), ...dumps()]
    .filter(({ pid, command }) => pid !== flux.pid() && !command.includes(join(flux.dataFolder, 'instances')))
    .map(({ command }) => command);
}

const disposables = () => join(flux.dataFolder, 'disposable');

/** The server that a disposable instance belongs to, by its own mark; undefined for one that was never finished. */
function ownerOf(id: string): number | undefined {
  const mark = read(join(disposables(), id, 'owner.json'));
  return mark === '' ? undefined : (JSON.parse(mark) as { pid: number }).pid;
}

/** Every pg_dump that was told of our sockets; its command line names nothing of ours. */
function dumps(): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => read(`/proc/${pid}/comm`).trim() === 'pg_dump' && read(`/proc/${pid}/environ`).includes(flux.folder))
    .map((pid) => ({ pid: Number(pid), command: 'pg_dump' }));
}

/** The server process that sends a table to pg_dump; 0 when there is none. Nobody else copies out of that database. */
function dumpSession(project: TestProject): number {
  const database = new URL(project.uri).pathname.slice(1);
  const found = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .find((pid) => new RegExp(`^postgres: flux-p-\\w+: \\w+ ${database} \\[local\\] COPY`).test(read(`/proc/${pid}/cmdline`)));
  return Number(found ?? 0);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It ended between the two looks.
    return '';
  }
}

function postmasters(): Record<string, number> {
  const folder = join(flux.dataFolder, 'instances');
  return Object.fromEntries(readdirSync(folder).map((id) => [id, postmasterPid(join(folder, id, 'data'))]));
}

/** Asks for a create or a verify of the latest backup and waits for the answer, or for the end of the connection. */
async function ask(project: TestProject, work: 'create' | 'verify'): Promise<void> {
  const path = work === 'create' ? '' : '/latest/verify';
  const answer = await flux.api(`/projects/${project.hash}/backups${path}`, { method: 'POST' });
  expect(await answer.text()).toContain('backup');
}

/** Waits until no operation waits or runs. */
async function everythingEnded(): Promise<void> {
  const unfinished = () => psql(catalogUri(flux), `select count(*) from operations where state in ('queued', 'running')`);
  await until('every operation has ended', async () => (await unfinished()) === '0\n');
}

/** A create of each project works at once. */
async function createAll(): Promise<void> {
  const creates = await Promise.all(projects.map((project) => flux.flux('backup', 'create', ...project.flags)));
  for (const { exitCode, stderr } of creates) {
    expect(stderr).not.toContain('already running');
    expect(exitCode).toBe(0);
  }
}

// Each kill meets a create of one engine and a verify of the other: twelve moments in all.
const KILLS = [
  [0.02, 'v1', 'v2'],
  [0.2, 'v2', 'v1'],
  [0.4, 'v1', 'v2'],
  [0.6, 'v2', 'v1'],
  [0.8, 'v1', 'v2'],
  [0.97, 'v2', 'v1'],
] as const;

it.each(sampleOf(KILLS, 6))('survives kill -9 after %d of a create on %s and of a verify on %s', async (moment, engine) => {
  const [created, verified] = (engine === 'v1' ? projects : projects.toReversed()) as [TestProject, TestProject];
  const before = postmasters();
  // Both are at the same part of their way when the kill comes; the shorter one begins later.
  const longest = Math.max(usual.create, usual.verify);
  const asked = Promise.allSettled(
    (
      [
        [created, 'create'],
        [verified, 'verify'],
      ] as const
    ).map(async ([project, work]) => {
      await pause((longest - usual[work]) * moment);
      await ask(project, work);
    }),
  );
  await pause(longest * moment);
  await flux.kill();
  await asked;
  await flux.start();

  // Nobody types anything: what was begun is begun anew by the next process, and comes to its end.
  await everythingEnded();
  await expectTidy();
  const [newest] = await listItems(created);
  expect(newest).toMatchObject({ status: 'complete', artifactValidationStatus: 'artifact_valid' });
  expect(postmasters()).toEqual(before);
  for (const project of projects) expect(await psql(project.uri, 'select count(*) from readings')).toBe(ROWS);
  await createAll();
  // Whatever was complete when the server died is looked at without being asked for.
  await until('every complete backup is validated', async () => {
    const items = (await Promise.all(projects.map(listItems))).flat();
    return items.every((item) => item.status !== 'complete' || item.artifactValidationStatus === 'artifact_valid');
  });
});

/** Starts a create and waits until pg_dump is in the middle of the data. */
async function createUntilMiddle(project: TestProject) {
  const ended = flux.flux('backup', 'create', ...project.flags);
  let pid = 0;
  await until('pg_dump is writing', () => {
    const drafts = filesBelow(backupsFolder()).filter((name) => name.split('/').at(-1)?.startsWith('.'));
    pid = dumps()[0]?.pid ?? 0;
    const sizes = drafts.map((name) => statSync(join(backupsFolder(), name), { throwIfNoEntry: false })?.size ?? 0);
    return pid !== 0 && Math.max(0, ...sizes) > 1_000_000;
  });
  return { ended, pid };
}

it('makes no backup when pg_dump is killed in the middle', async () => {
  for (const project of projects) {
    const { ended, pid } = await createUntilMiddle(project);
    process.kill(pid, 'SIGKILL');

    const create = await ended;
    expect(create.stdout).toBe('');
    expect(create.stderr).toContain('Error: pg_dump ended by signal SIGKILL');
    expect(create.exitCode).toBe(1);
    const [newest] = await listItems(project);
    expect(newest).toMatchObject({
      status: 'failed',
      sizeBytes: null,
      failure: expect.stringContaining('pg_dump ended by signal SIGKILL'),
    });
    const listed = await flux.flux('backup', 'list', ...project.flags);
    expect(listed.stdout.split('\n').slice(1, 3)).toEqual([
      'Verification:             Backup not complete',
      'Safe destructive actions: Blocked until verification',
    ]);
    await expectTidy();
  }
});

it('gives the words of pg_dump when its session is ended under it', async () => {
  const [project] = projects as [TestProject];
  const { ended } = await createUntilMiddle(project);
  const backend = dumpSession(project);
  expect(backend).toBeGreaterThan(1);
  process.kill(backend, 'SIGTERM');

  const create = await ended;
  expect(create.stderr).toMatch(/^Error: pg_dump ended with status 1: .*error: .*readings/m);
  expect(create.stderr).toContain('pg_dump: detail: Error message from server: ');
  expect(create.exitCode).toBe(1);
  await expectTidy();
});

it('leaves nothing behind when it is asked to stop in the middle of a create', async () => {
  const [project] = projects as [TestProject];
  const { ended } = await createUntilMiddle(project);
  expect(await flux.stop()).toBe(0);
  expect(processesOf(flux.folder).filter(({ command }) => !command.includes('packages/cli'))).toEqual([]);
  await flux.start();

  // The command that follows goes on following, and sees the backup that the next process has made.
  const create = await ended;
  expect(create.exitCode).toBe(0);
  await expectTidy();
  expect((await listItems(project))[0]).toMatchObject({ status: 'complete', artifactValidationStatus: 'artifact_valid' });
  expect((await flux.flux('backup', 'create', ...project.flags, '--verify')).exitCode).toBe(0);
});
