import type { GateAnswer } from '@flux/contract/gate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backUp } from './harness/backups.ts';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';
import { psql } from './harness/postgres.ts';
import { pause, until } from './harness/process.ts';
import { catalogUri, databaseOf, instanceOf, superuserUri } from './harness/superuser.ts';

let flux: Flux;
beforeAll(async () => {
  flux = await startFlux();
});
afterAll(() => flux?.[Symbol.asyncDispose]());

type Changes = NonNullable<GateAnswer['proof']>['changes'];

const NOTHING = { known: true, rowsInserted: 0, rowsUpdated: 0, rowsDeleted: 0, tablesCreated: 0, tablesDropped: 0, tablesRewritten: 0 };
/** A session hands its counts over at its end, or after a second. */
const COUNTED_MS = 1500;

async function ask(project: TestProject, query = 'action=nuke'): Promise<GateAnswer> {
  const answer = await flux.api(`/projects/${project.hash}/gate?${query}`);
  expect(answer.status).toBe(200);
  return (await answer.json()) as GateAnswer;
}

const changesOf = async (project: TestProject): Promise<Changes | undefined> => (await ask(project)).proof?.changes;

/** A project with 200 orders and a proven backup of them. */
async function makeProven(slug: string, mode: 'v1_dedicated' | 'v2_shared'): Promise<TestProject> {
  const project = await flux.createProject(slug, mode);
  await flux.push(
    project,
    'create table orders (id int primary key, note text); insert into orders select i from generate_series(1, 200) i; create table log (id int); insert into log values (1);',
  );
  await pause(COUNTED_MS);
  await backUp(flux, project, '--verify');
  return project;
}

describe.each(['v1_dedicated', 'v2_shared'] as const)('what the gate tells of a project on %s', (mode) => {
  let project: TestProject;
  beforeAll(async () => {
    project = await makeProven(mode === 'v1_dedicated' ? 'told' : 'told-tenant', mode);
  });

  it('is the proof, its age, and that nothing has changed', async () => {
    const told = await ask(project);
    expect(told).toMatchObject({ action: 'nuke', decision: 'cleared', tier: 'restorable' });
    expect(told.command ?? null).toBeNull();
    expect(told.proof?.backupId).toBe(told.backupId);
    expect(told.proof?.changes).toEqual(NOTHING);
    const times = [told.proof?.takenAt, told.proof?.verifiedAt, told.askedAt].map((time) => Date.parse(time ?? ''));
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('is how much has changed since, before anybody is asked', async () => {
    await flux.push(
      project,
      `insert into orders select i from generate_series(201, 230) i; update orders set note = 'x' where id <= 5;
       delete from orders where id in (6, 7); truncate log; create table more (id int); insert into more values (1);`,
    );
    const expected = { ...NOTHING, rowsInserted: 31, rowsUpdated: 5, rowsDeleted: 2, tablesCreated: 1, tablesRewritten: 1 };
    await expect.poll(() => changesOf(project), { timeout: 5000 }).toEqual(expected);

    const words = 'Changed since: about 31 rows inserted, 5 updated, 2 deleted; 1 table created; 1 table emptied or rewritten';
    const commands = [
      ['nuke', project.slug, '--hash', project.hash],
      ['project', 'reset', project.slug, '--hash', project.hash],
      ['backup', 'restore', '--latest', '--in-place', ...project.flags],
    ];
    for (const command of commands) {
      const unasked = await flux.flux(...command, '--no-input');
      expect(unasked.stderr).toMatch(/Proven backup: [0-9a-f-]{36} of \d{13} · .*; restored and compared .*\n/);
      expect(unasked.stderr).toContain(words);
      expect(unasked.stderr).toContain('--no-input was given');
      expect(unasked.exitCode).toBe(2);
    }
  });

  it('is the proven backup also when a newer one is not, and only as information', async () => {
    const newer = await backUp(flux, project);
    const told = await ask(project);
    expect(told).toMatchObject({ decision: 'refused', tier: 'not_restore_verified', backupId: newer });
    expect(told.command).toBe('flux backup create && flux backup verify --latest');
    expect(told.proof?.backupId).not.toBe(newer);

    const unasked = await flux.flux('nuke', project.slug, '--hash', project.hash);
    expect(unasked.stderr).toContain('The latest backup has not been restore-verified. Run `flux backup create');
    expect(unasked.exitCode).toBe(6);
    const deletion = await ask(project, `action=delete_last_verified&backup=${told.proof?.backupId}`);
    expect(deletion).toMatchObject({ decision: 'refused', tier: 'restorable' });
    expect(await ask(project, 'action=delete_last_verified&backup=latest')).toMatchObject({ decision: 'cleared' });
  });

  it('is shown with --yes as well, and with an override', async () => {
    const reason = ['--yes', '--skip-backup-check', '--reason', 'test data'];
    const forced = await flux.flux('nuke', project.slug, '--hash', project.hash, ...reason);
    expect(forced.stderr).toMatch(
      /Warning: --skip-backup-check.*\n(.*\n)*Proven backup: .*; it is not the newest backup\nChanged since: about 31 rows/,
    );
    expect(forced.exitCode).toBe(0);
    expect((await changesOf(project))?.known).toBe(false);
  });
});

describe('the changes since the proof', () => {
  it('stay known over a clean stop, and become unknown with a reset, a crash, or other data', async () => {
    const project = await makeProven('counted', 'v1_dedicated');
    const id = (await psql(catalogUri(flux), `select id from projects where hash = '${project.hash}'`)).trim();
    const superuser = () => superuserUri(flux, instanceOf(id, 'v1_dedicated'), databaseOf(project));
    expect((await flux.flux('project', 'stop', project.slug, '--hash', project.hash)).exitCode).toBe(0);
    expect(await changesOf(project)).toMatchObject({ known: false, why: expect.stringContaining('stopped') });
    expect((await flux.flux('project', 'start', project.slug, '--hash', project.hash)).exitCode).toBe(0);
    expect(await changesOf(project)).toEqual(NOTHING);

    await psql(superuser(), 'select pg_stat_reset()');
    expect(await changesOf(project)).toMatchObject({
      known: false,
      why: expect.stringContaining('statistics of Postgres have been reset'),
    });

    await backUp(flux, project, '--verify');
    expect(await changesOf(project)).toEqual(NOTHING);
    // A backend that is killed takes the whole server through crash recovery.
    await psql(superuser(), `copy (select 1) to program 'kill -9 $PPID'`).catch(() => undefined);
    await until('Postgres is back', () => answers(project));
    expect(await changesOf(project)).toMatchObject({ known: false, why: expect.stringContaining('by a crash') });

    const restored = await flux.flux('backup', 'restore', '--latest', '--in-place', ...project.flags, '--yes');
    expect(restored.stderr).toContain('Changed since: unknown, because the counters of Postgres have been reset');
    expect(restored.exitCode).toBe(0);
    expect(await changesOf(project)).toMatchObject({ known: false, why: expect.stringContaining('replaced as a whole') });
  });
});

const answers = (project: TestProject) =>
  psql(project.uri, 'select 1').then(
    () => true,
    () => false,
  );

describe('an override', () => {
  const overrides = async (project: TestProject) =>
    (
      await psql(
        catalogUri(flux),
        `select details->>'for', details->>'reason' from audit_events e join projects p on p.id = e.project_id
          where p.hash = '${project.hash}' and action = 'gate.override' order by e.id`,
      )
    )
      .trim()
      .split('\n');

  it('warns, needs a reason where nobody can be asked, and is written down: for each deed', async () => {
    const project = await makeProven('skipped', 'v2_shared');
    const deeds: readonly (readonly [string, ...string[]])[] = [
      ['restore_in_place', 'backup', 'restore', '--latest', '--in-place', '--skip-present-backup'],
      ['reset', 'project', 'reset'],
      ['migrate_drop_source', 'migrate', '--to', 'v1_dedicated', '--drop-source-after'],
      ['nuke', 'nuke'],
    ];
    const deletion = async () => ['delete_last_verified', 'backup', 'delete', '--id', (await ask(project)).proof?.backupId ?? ''] as const;
    for (const [, ...command] of [...deeds, await deletion()]) {
      const silent = await flux.flux(...command, ...project.flags, '--yes', '--skip-backup-check', '--no-input');
      expect(silent.stderr).toContain('--skip-backup-check with --no-input needs --reason');
      expect(silent.exitCode, command.join(' ')).toBe(2);
    }
    expect(await overrides(project)).toEqual(['']);

    const done: string[] = [];
    const force = async ([action, ...command]: readonly string[]) => {
      const reason = ['--reason', `because of ${action}`];
      const forced = await flux.flux(...command, ...project.flags, '--yes', '--skip-backup-check', ...reason, '--no-input');
      expect(forced.stderr).toContain('Warning: --skip-backup-check: the data destroyed now may be lost for good');
      expect(forced.exitCode, forced.stderr).toBe(0);
      done.push(`${action}|because of ${action}`);
      expect(await overrides(project)).toEqual(done);
    };
    for (const deed of deeds.slice(0, -1)) await force(deed);
    await force(await deletion());
    for (const deed of deeds.slice(-1)) await force(deed);
  });
});
