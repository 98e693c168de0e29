import { afterAll, beforeAll, expect, it } from 'vitest';
import { sampleOf } from '../../scripts/tiers.ts';
import { backUp } from '../harness/backups.ts';
import { type Flux, startFlux } from '../harness/flux.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from '../harness/postgres.ts';
import { type Ended, until } from '../harness/process.ts';
import { catalogUri } from '../harness/superuser.ts';
import { holdProject, type Place, REMOVAL, type Subject, WORKS, type Work } from './works.ts';

/** Class of the session lock that is the lease of a worker. */
const LEASE = 0x466c7578;

let flux: Flux;
let cluster: ThrowAwayCluster;
let subjects: readonly Subject[];

beforeAll(async () => {
  [flux, cluster] = await Promise.all([
    startFlux({ env: { FLUX_VERIFY_STANDBY: 'off', FLUX_CONCURRENCY: '16' } }),
    startThrowAwayCluster(),
  ]);
  subjects = await Promise.all(WORKS.map((work, index) => prepare(work, `work-${index}`)));
});
afterAll(async () => {
  await flux?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

async function prepare(work: Work, slug: string): Promise<Subject> {
  const project = await flux.createProject(slug, work.engine);
  await flux.push(project, work.sql);
  if (work.backup === 'verified') await backUp(flux, project, '--verify');
  return { ...project, id: await query(`select id from projects where hash = '${project.hash}'`) };
}

const query = async (sql: string) => (await psql(catalogUri(flux), sql)).trim();
const readiness = () =>
  fetch(`${flux.url}/readyz`).then(
    ({ status }) => status,
    () => 0,
  );

/** Resolves when some work runs and has come to its middle. */
const untilMiddle = ({ name, kind, middle }: Work, { id }: Subject) =>
  until(`${name} is in its middle`, async () => {
    const phase = middle === null ? '' : ` and progress->>'phase' = '${middle}'`;
    const found = `select count(*) from operations where project_id = '${id}' and kind = '${kind}' and state = 'running'${phase}`;
    return (await query(found)) === '1';
  });

interface Interruption {
  readonly name: string;
  /** Interrupts everything; what holds a transaction of the catalog is let go once the control plane says that it is not ready. */
  readonly happen: (letGo: () => Promise<void>) => Promise<void>;
  /** What a push, which runs while its command waits, is told. */
  readonly push: { readonly exitCode: number; readonly stderr: RegExp };
}

const notReady = () => until('it says that it is not ready', async () => (await readiness()) === 503, 10_000);

const INTERRUPTIONS: readonly Interruption[] = [
  {
    name: 'SIGTERM',
    happen: async (letGo) => {
      const stopped = flux.stop();
      await notReady();
      const refused = await flux.api(`/projects/${subjects[0]?.hash}/backups`, { method: 'POST' });
      expect(refused.status).toBe(503);
      expect(await refused.json()).toMatchObject({ code: 'stopping' });
      await letGo();
      expect(await stopped).toBe(0);
    },
    push: { exitCode: 1, stderr: /^Error: The control plane stopped while this was running\.\nNothing of more\.sql was applied\./m },
  },
  {
    name: 'the loss of its lease',
    happen: async (letGo) => {
      await query(
        `select pg_terminate_backend(pid, 5000) from pg_locks where locktype = 'advisory' and classid = ${LEASE} and objsubid = 2`,
      );
      await notReady();
      await letGo();
      // What a lock still holds must have let go as well: a new lease is taken only then.
      await until('it is ready again', async () => (await readiness()) === 200);
    },
    push: { exitCode: 1, stderr: /^Error: The control plane lost its catalog database while this was running\.\nNothing of more\.sql/m },
  },
  {
    name: 'SIGKILL',
    happen: async (letGo) => {
      await flux.kill();
      await letGo();
    },
    push: { exitCode: 9, stderr: /^Error: Contact with .* was lost: .*\nmore\.sql may be applied or not\. Look at the database/m },
  },
];

it.each(sampleOf(INTERRUPTIONS, 3, 1))('lets no work be half done, stuck or lied about after $name', async ({ name, happen, push }) => {
  const round = INTERRUPTIONS.findIndex((one) => one.name === name);
  const removed = await prepare(REMOVAL, `removed-${round}`);
  await psql(cluster.uri('postgres'), `create database elsewhere_${round}`);
  const place: Place = { flux, elsewhere: cluster.uri(`elsewhere_${round}`) };
  const underway = [...WORKS, REMOVAL].map((work, index) => ({ work, subject: subjects[index] ?? removed }));
  const since = await query('select now()');
  await using holds = new AsyncDisposableStack();
  for (const { work, subject } of underway) holds.use(await work.hold(subject, place));
  const removal = holds.use(await holdProject(removed, place));
  const begun = new Map<Work, Promise<Ended>>();
  const begin = async (works: typeof underway) => {
    for (const { work, subject } of works) begun.set(work, flux.flux(...work.command(subject, place)));
    await Promise.all(works.map(({ work, subject }) => untilMiddle(work, subject)));
  };
  await begin(underway.filter(({ work }) => !work.isBrief));
  await begin(underway.filter(({ work }) => work.isBrief));

  await happen(removal.release);
  await holds.disposeAsync();
  if ((await readiness()) === 0) await flux.start();

  for (const { work, subject } of underway) {
    const { exitCode, stderr } = await (begun.get(work) as Promise<Ended>);
    const said = `${work.name}: ${stderr}`;
    if (work.kind === 'push') {
      expect(exitCode, said).toBe(push.exitCode);
      expect(stderr).toMatch(push.stderr);
    } else if (work.end === 'done') expect(exitCode, said).toBe(0);
    else {
      expect(exitCode, said).toBe(1);
      expect(stderr).toMatch(
        /^Error: The control plane (?:stopped|was stopped or killed|lost its catalog database) while this was running\.\n\S/m,
      );
    }
    await work.holds(subject, place);
  }
  await until('nothing is open', async () => (await query(`select count(*) from operations where state in ('queued', 'running')`)) === '0');
  expect(await query(`select count(*) from backups where status in ('queued', 'running') or status = 'failed' and failure is null`)).toBe(
    '0',
  );
  // One proof for each verification that came to its end, and none for what was interrupted.
  expect(await query(`select count(*) from verifications where started_at > '${since}'`)).toBe('1');
  // Nothing keeps a project from being written to: a push needs it for itself.
  await Promise.all(subjects.map((subject) => flux.push(subject, 'select 1;')));
});
