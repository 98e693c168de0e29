import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GateAnswer } from '@flux/contract/gate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backUp } from './harness/backups.ts';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';
import { psql } from './harness/postgres.ts';

let flux: Flux;
let project: TestProject;

beforeAll(async () => {
  flux = await startFlux();
  project = await flux.createProject('shop', 'v1_dedicated');
  mkdirSync(join(flux.folder, 'migrations'));
  file('migrations/001_init.sql', 'create table legacy (id int); create table orders (id int, note text); insert into legacy values (1);');
  expect((await push('./migrations')).exitCode).toBe(0);
  file(
    'migrations/002_drop.sql',
    `-- truncate orders; is only a comment
drop table legacy;
update orders set note = '';
do $$ begin execute current_setting('app.sql'); end $$;
delete from orders where id = 7;
`,
  );
});
afterAll(() => flux?.[Symbol.asyncDispose]());

const file = (name: string, sql: string) => writeFileSync(join(flux.folder, name), sql);
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const push = (...args: string[]) => flux.flux('push', ...args, ...project.flags);
const tables = async () =>
  (await psql(project.uri, `select relname from pg_class where relname in ('legacy', 'orders', 'fresh') order by 1`)).trim();

interface PlanDocument {
  readonly plan: readonly { readonly filename: string; readonly dangers: readonly Record<string, unknown>[] }[];
  readonly dangers: { readonly destroys: number; readonly mayDestroy: number; readonly unseen: number };
  readonly gate: GateAnswer | null;
}

describe('flux push --plan', () => {
  it('marks what destroys data, with place and reason, and says that no restore-verified backup could revert it', async () => {
    const plan = await push('./migrations', '--plan');
    expect(plan.stdout).toBe(`Flux migrations (plan)
✓ 001_init.sql already applied
→ 002_drop.sql would run (versioned, new)
  ! 002_drop.sql:2 destroys data: drop table legacy
      It removes the table and every row in it.
  ~ 002_drop.sql:3 may destroy data: update orders set note = ''
      It has no WHERE, so it overwrites every row of the table.
  ? 002_drop.sql:4 could not be analysed: execute current_setting('app.sql')
      The statement is put together while it runs, so it could not be analysed.
Plan: 1 to apply, 1 to skip. Nothing was run.

destroys data: 1 statement · may destroy data: 1 statement · could not be analysed: 1 statement. Functions and triggers that a statement calls are not analysed.
No restore-verified backup could revert it: There is no backup. (shop has none)
Create one with \`flux backup create && flux backup verify --latest\`, or push with \`--backup\`.
`);
    expect(plan.exitCode).toBe(0);
    expect(await tables()).toBe('legacy\norders');
  });

  it('says the same in --json, with the decision of the gate at every tier', async () => {
    const ask = async () => JSON.parse((await push('./migrations', '--plan', '--json')).stdout) as PlanDocument;
    const none = await ask();
    expect(none.dangers).toEqual({ destroys: 1, mayDestroy: 1, unseen: 1 });
    expect(none.plan[0]?.dangers).toEqual([]);
    expect(none.plan[1]?.dangers[0]).toEqual({
      file: '002_drop.sql',
      line: 2,
      column: 1,
      effect: 'destroys',
      statement: 'drop table legacy',
      why: 'It removes the table and every row in it.',
    });
    expect(none.gate).toMatchObject({ action: 'push', decision: 'refused', tier: 'no_backups', label: 'No backups', backupId: null });
    expect(none.gate?.command).toBe('flux backup create && flux backup verify --latest');

    const id = await backUp(flux, project);
    const unproven = await ask();
    expect(unproven.gate).toMatchObject({ decision: 'refused', tier: 'not_restore_verified', backupId: id });

    expect((await flux.flux('backup', 'verify', '--latest', ...project.flags)).exitCode).toBe(0);
    const proven = await ask();
    expect(proven.gate).toMatchObject({ decision: 'cleared', tier: 'restorable', label: 'Restorable', backupId: id, command: null });
    const plan = await push('./migrations', '--plan');
    expect(plan.stdout).toContain(`A restore-verified backup could revert it: backup ${id} of `);
  });

  it('asks nothing about backups when nothing destroys data', async () => {
    file('harmless.sql', 'create table fresh (id int);');
    const plan = await push('./harmless.sql', '--plan');
    expect(plan.stdout).toContain('\nNo statement destroys data. Functions and triggers that a statement calls are not analysed.\n');
    const document = JSON.parse((await push('./harmless.sql', '--plan', '--json')).stdout) as PlanDocument;
    expect(document.gate).toBeNull();
  });
});

describe('flux push', () => {
  it('warns of what destroys data when the newest backup is not proven, and goes on', async () => {
    file('wipe.sql', 'truncate orders; drop table if exists never_was;');
    const proven = await push('./wipe.sql');
    expect(proven.stderr).not.toContain('Warning');
    expect(proven.exitCode).toBe(0);

    await backUp(flux, project);
    const warned = await push('./wipe.sql');
    expect(warned.stderr).toMatch(
      /Warning: wipe\.sql:1 destroys data: truncate orders \(and 1 more, see `flux push --plan`\)\nNo restore-verified backup could revert it: The latest backup has not been restore-verified\. \(backup .*\)\nCreate one first: `flux push --backup`\./,
    );
    expect(warned.exitCode).toBe(0);
    expect((await push('./wipe.sql', '--dry-run')).stderr).not.toContain('Warning');
    await psql(project.uri, 'insert into orders values (1)');
    const unasked = await push('./wipe.sql', '--no-input');
    expect(unasked.stderr).toContain(
      'This push destroys data that no restore-verified backup has, and with --no-input that needs --yes. Nothing was run.',
    );
    expect(unasked.exitCode).toBe(2);
    expect(await psql(project.uri, 'select count(*) from orders')).toBe('1\n');
    // `script` gives it a terminal.
    const answered = (word: string) =>
      flux.shell(`(sleep 4; printf '${word}\\r'; sleep 4) | script -qec "flux push ./wipe.sql ${project.flags.join(' ')}" /dev/null`);
    expect((await answered('no')).exitCode).not.toBe(0);
    expect(await psql(project.uri, 'select count(*) from orders')).toBe('1\n');
    expect((await answered('yes')).stdout).toContain('applied');
    expect(await psql(project.uri, 'select count(*) from orders')).toBe('0\n');
    expect((await push('./wipe.sql', '--no-input', '--yes')).exitCode).toBe(0);
    file('harmless.sql', 'create table fresh (id int);');
    expect((await push('./harmless.sql')).stderr).not.toContain('Warning');
  });

  it('--backup creates and verifies first, then pushes without a warning', async () => {
    const pushed = await push('./wipe.sql', '--backup');
    expect(pushed.stderr).toMatch(/Backup [0-9a-f-]+: Restorable\n/);
    expect(pushed.stderr).not.toContain('Warning');
    expect(pushed.exitCode).toBe(0);
    const list = await flux.flux('backup', 'list', ...project.flags);
    expect(list.stdout).toContain('Verification:             Restore-verified');
  });

  it('--backup pushes nothing when the backup does not come back', async () => {
    // The rows were let in by a check that has changed its mind since: no restore can bring them back.
    await psql(
      project.uri,
      `create function fits(int) returns boolean language sql immutable as 'select true';
       create table odd (id int check (fits(id))); insert into odd values (1);
       create or replace function fits(int) returns boolean language sql immutable as 'select false';`,
    );
    file('migrations/002_drop.sql', 'drop table legacy;');
    const pushed = await push('./migrations', '--backup');
    expect(pushed.stdout).toContain('Nothing was pushed.');
    expect(pushed.exitCode).toBe(7);
    expect(await tables()).toBe('fresh\nlegacy\norders');
    const listed = await flux.flux('migrations', 'list', ...project.flags);
    expect(listed.stdout).not.toContain('002_drop.sql');
  });
});

describe('the push policy of a project', () => {
  it('refuses what destroys data without a proven newest backup, whoever sends it, but for an admin with a reason', async () => {
    const guarded = await flux.createProject('guarded', 'v1_dedicated');
    await flux.push(guarded, 'create table kept (id int); insert into kept values (1); create table empty_one (id int)');
    const pushTo = (...args: string[]) => flux.flux('push', ...args, ...guarded.flags);
    const rows = () => psql(guarded.uri, 'select count(*) from kept');
    const send = (body: object, token = flux.token()) =>
      fetch(`${flux.url}/api/cli/v1/push`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ slug: guarded.slug, hash: guarded.hash, ...body }),
      });
    const sent = async (body: object, token?: string) => {
      const answer = await send(body, token);
      return { status: answer.status, error: ((await answer.json()) as { error?: string }).error };
    };
    file('empty.sql', 'truncate kept;');

    expect((await flux.flux('project', 'set', '--push-policy', 'refuse', ...guarded.flags)).stdout).toContain('is refused while');
    expect((await flux.flux('project', 'show', ...guarded.flags)).stdout).toMatch(/Push policy: +refuse/);
    const refused = await pushTo('./empty.sql', '--no-input', '--yes');
    expect(refused.exitCode).toBe(6);
    expect(refused.stderr).toContain('The policy of this project refuses that. There is no backup.');
    expect(await sent({ sql: 'update kept set id = 2; truncate kept' })).toMatchObject({ status: 412 });
    expect(await psql(guarded.uri, 'select id from kept')).toBe('1\n');
    expect(await sent({ sql: 'truncate kept', dryRun: true })).toMatchObject({ status: 200 });
    expect(await sent({ sql: 'insert into kept values (3); update kept set id = 4 where id = 3' })).toMatchObject({ status: 200 });

    const writer = JSON.parse((await flux.flux('token', 'create', 'ci', '--access', 'write', '--json')).stdout) as { token: string };
    const overriding = { sql: 'drop table empty_one', skipBackupCheck: true, reason: 'it is empty' };
    expect(await sent(overriding, writer.token)).toMatchObject({ status: 403, error: expect.stringContaining('only an admin token') });
    const asWriter = await flux.fluxWith(
      { env: { FLUX_API_TOKEN: writer.token } },
      'project',
      'set',
      '--push-policy',
      'ask',
      ...guarded.flags,
    );
    expect(asWriter.exitCode).toBe(5);
    expect(await sent(overriding)).toMatchObject({ status: 200 });
    expect((await flux.flux('audit', ...guarded.flags, '--json')).stdout).toMatch(
      /gate\.override[\s\S]*"for": "push",\s+"reason": "it is empty"/,
    );

    // A migration that was applied is skipped, not refused.
    const first = { version: '1', filename: '1_drop.sql', checksum: sha256('drop table if exists never_was') };
    const migration = { sql: 'drop table if exists never_was', migration: first };
    expect(await sent({ ...migration, skipBackupCheck: true })).toMatchObject({ status: 200 });
    expect(await sent(migration)).toMatchObject({ status: 200 });

    const saved = await pushTo('./empty.sql', '--backup');
    expect(saved.exitCode).toBe(0);
    expect(await rows()).toBe('0\n');
    // The newest backup is proven now.
    expect((await pushTo('./empty.sql', '--no-input')).exitCode).toBe(0);
    await backUp(flux, guarded);
    expect((await pushTo('./empty.sql', '--no-input', '--yes')).exitCode).toBe(6);
  });
});
