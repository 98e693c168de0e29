import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ControlPlane, PROJECT, sendProblem, startControlPlane } from './control-plane.ts';
import { flux, fluxOnTerminal, makeSandbox, type Sandbox } from './flux.ts';

vi.setConfig({ testTimeout: 60_000 });

const INIT = 'CREATE TABLE orders (id int);\n';
const INDEXES = 'CREATE INDEX i\n\tON orders (idd);\n';
const PUSH = `POST /projects/${PROJECT.hash}/push`;
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

let plane: ControlPlane;
let sandbox: Sandbox;
let applied: object[];
beforeEach(async () => {
  applied = [{ version: '001', filename: '001_init.sql', checksum: sha256(INIT), appliedAt: '2026-06-20T17:18:33.697Z' }];
  plane = await startControlPlane({
    [`GET /projects/${PROJECT.hash}/migrations`]: () => ({ applied, nextCursor: null }),
    [PUSH]: () => ({ statements: 2 }),
  });
  sandbox = await makeSandbox();
  await mkdir(join(sandbox.cwd, 'migrations'));
  await writeFile(join(sandbox.cwd, 'migrations/001_init.sql'), INIT);
  await writeFile(join(sandbox.cwd, 'migrations/002_indexes.sql'), INDEXES);
  await writeFile(join(sandbox.cwd, 'flux.json'), JSON.stringify(PROJECT));
});
afterEach(async () => {
  await plane.close();
  await sandbox[Symbol.asyncDispose]();
});
const run = (...args: string[]) => flux(['push', ...args], { base: plane.base, sandbox });
const pushes = () => plane.seen.filter(({ path }) => path.endsWith('/push')).map(({ body }) => body as Record<string, unknown>);

it('applies what is new and says so line by line', async () => {
  const result = await run();

  expect(result.exitCode).toBe(0);
  expect(result.out).toBe(
    'Flux migrations\n✓ 001_init.sql already applied\n→ 002_indexes.sql applying...\n✓ 002_indexes.sql applied\nDone. 1 applied, 1 skipped.\n',
  );
  expect(pushes()).toEqual([
    {
      sql: INDEXES,
      filename: '002_indexes.sql',
      migration: { version: '002', filename: '002_indexes.sql', checksum: sha256(INDEXES) },
    },
  ]);
});

it('runs nothing when an applied file was edited, and names it with both checksums', async () => {
  await writeFile(join(sandbox.cwd, 'migrations/001_init.sql'), `${INIT}-- edited\n`);

  const result = await run();

  expect(result.exitCode).toBe(1);
  expect(result.err).toContain(`001_init.sql: applied with checksum ${sha256(INIT)}, now ${sha256(`${INIT}-- edited\n`)}`);
  expect(pushes()).toEqual([]);
});

it('shows where Postgres found the error and that nothing of the file was applied', async () => {
  plane.routes[PUSH] = (_request, response) =>
    sendProblem(response, 'sql_failed', 400, '002_indexes.sql:2: column "idd" does not exist', {
      problem: 'column "idd" does not exist',
      advice: 'Correct it and push again.',
      statement: INDEXES,
      line: 2,
      column: 13,
      sqlState: '42703',
    });

  const result = await run();

  expect(result.exitCode).toBe(1);
  expect(result.err).toBe(
    [
      'Error: 002_indexes.sql:2:13: column "idd" does not exist (SQLSTATE 42703)',
      '  1 | CREATE INDEX i',
      '  2 | \tON orders (idd);',
      '    | \t           ^',
      'Nothing of 002_indexes.sql was applied.',
      'Correct it and push again.',
      '',
    ].join('\n'),
  );
});

it('does not claim that nothing was applied when the server does not say so', async () => {
  plane.routes[PUSH] = (_request, response) =>
    sendProblem(response, 'sql_not_allowed', 400, '002_indexes.sql ended its transaction; what ran before is applied.', {});

  const result = await run();

  expect(result.err).toContain('Error: 002_indexes.sql ended its transaction; what ran before is applied.\n');
  expect(result.err).not.toContain('Nothing of');
});

it('sends nothing that could change something with --plan', async () => {
  const result = await run('--plan', '--json');

  expect(JSON.parse(result.out).plan.map((file: { action: string }) => file.action)).toEqual(['skip', 'run']);
  expect(plane.seen.every(({ method }) => method === 'GET')).toBe(true);
});

it('tries several new files as one transaction with --dry-run, and still finds the file of an error', async () => {
  applied = [];
  plane.routes[PUSH] = (_request, response) => sendProblem(response, 'sql_failed', 400, 'no', { problem: 'no', line: 4, column: 2 });

  const result = await run('--dry-run');

  expect(pushes()).toEqual([{ sql: `${INIT};\n${INDEXES};\n`, dryRun: true }]);
  expect(result.err).toContain('002_indexes.sql:2:2: no');
});

it('asks before data is destroyed that no proven backup has: --no-input needs --yes, and a script goes on', async () => {
  await writeFile(join(sandbox.cwd, 'wipe.sql'), 'drop table orders;');
  plane.routes[`GET /projects/${PROJECT.hash}/gate`] = () => ({
    action: 'push',
    decision: 'refused',
    tier: 'no_backups',
    label: 'No backups',
    guidance: 'There is no backup.',
    detail: 'it has none',
    command: null,
    backupId: null,
    proof: null,
    askedAt: '2026-06-20T17:18:33.697Z',
  });

  const refused = await run('wipe.sql', '--no-input');
  expect(refused.exitCode).toBe(2);
  expect(refused.err).toContain('with --no-input that needs --yes. Nothing was run.');
  expect(pushes()).toEqual([]);
  expect((await run('wipe.sql', '--no-input', '--yes')).exitCode).toBe(0);
  const scripted = await run('wipe.sql');
  expect(scripted.exitCode).toBe(0);
  expect(scripted.err).toContain('Warning: wipe.sql:1 destroys data: drop table orders');
  expect(pushes()).toHaveLength(2);
});

it('runs nothing that the policy of the project refuses, and sends the override of an admin', async () => {
  await writeFile(join(sandbox.cwd, 'wipe.sql'), 'drop table orders;');
  await writeFile(join(sandbox.cwd, 'harmless.sql'), 'update orders set id = 1;');
  plane.routes[`GET /projects/${PROJECT.hash}/gate`] = () => ({
    action: 'push',
    pushPolicy: 'refuse',
    decision: 'refused',
    tier: 'no_backups',
    label: 'No backups',
    guidance: 'There is no backup.',
    detail: 'it has none',
    command: 'flux backup create',
    backupId: null,
    proof: null,
    askedAt: '2026-06-20T17:18:33.697Z',
  });

  const refused = await run('wipe.sql', '--yes');
  expect(refused.exitCode).toBe(6);
  expect(refused.err).toContain(
    'wipe.sql:1 destroys data: drop table orders\nThe policy of this project refuses that. There is no backup. Run ',
  );
  expect(refused.err).toContain('Nothing was run.');
  expect((await run('wipe.sql', '--plan')).out).toContain('The policy of this project refuses the push until then.');
  expect((await run('wipe.sql', '--skip-backup-check', '--no-input')).exitCode).toBe(2);
  expect(pushes()).toEqual([]);
  expect((await run('harmless.sql')).exitCode).toBe(0);
  expect((await run('wipe.sql', '--skip-backup-check', '--reason', 'it is empty', '--no-input')).exitCode).toBe(0);
  expect(pushes()[1]).toEqual({ sql: 'drop table orders;', filename: 'wipe.sql', skipBackupCheck: true, reason: 'it is empty' });
});

it('runs a single file as it is', async () => {
  await writeFile(join(sandbox.cwd, 'seed.sql'), 'SELECT 1; SELECT 2;');

  const result = await run('seed.sql');

  expect(result.out).toBe('✓ seed.sql applied (2 statements)\n');
  expect(pushes()[0]).toEqual({ sql: 'SELECT 1; SELECT 2;', filename: 'seed.sql' });
});

it('says that a raw file is not recorded', async () => {
  await writeFile(join(sandbox.cwd, 'seed.sql'), 'SELECT 1;');
  const words = (name: string) => `${name} is not in the ledger: every push of it, alone or with its folder, runs it again.\n`;

  expect((await run('seed.sql')).err).toBe(words('seed.sql'));
  expect((await run('migrations/002_indexes.sql', '--mode', 'raw')).err).toBe(words('002_indexes.sql'));
  expect((await run('migrations/002_indexes.sql')).err).toBe('');
  expect(pushes().map(({ migration }) => migration)).toEqual([undefined, undefined, expect.objectContaining({ version: '002' })]);
});

it.each([
  ['001', '001_init.sql'],
  ['1', '001_init.sql'],
  ['001_init.sql', '001_init.sql'],
  ['init-of-another-client', '001_init.sql'],
])('skips a file that the ledger has as %s', async (version, filename) => {
  applied = [{ version, filename, checksum: sha256(INIT), appliedAt: '2026-06-20T17:18:33.697Z' }];

  expect((await run('migrations/001_init.sql')).out).toBe('Flux migrations\n✓ 001_init.sql already applied\nDone. 0 applied, 1 skipped.\n');
  expect((await run('--plan')).out).toContain('✓ 001_init.sql already applied\n→ 002_indexes.sql would run');
  expect(pushes()).toEqual([]);
});

it('finds an edited file under another spelling of its version', async () => {
  applied = [{ version: '1', filename: '1_first.sql', checksum: sha256('other'), appliedAt: '2026-06-20T17:18:33.697Z' }];

  const result = await run('migrations/001_init.sql');

  expect(result.exitCode).toBe(1);
  expect(result.err).toContain(`001_init.sql: applied as 1_first.sql with checksum ${sha256('other')}, now ${sha256(INIT)}`);
  expect(result.err).toContain('To run it as it is, unrecorded: `--mode raw`.');
  expect(pushes()).toEqual([]);
});

it('warns of a file that the ledger has twice', async () => {
  applied = ['001', '001_init.sql'].map((version) => ({ ...applied[0], version }));

  const listed = await flux(['migrations', 'list'], { base: plane.base, sandbox });

  expect(listed.err).toBe('Warning: 001_init.sql is in the ledger 2 times, as 001 and 001_init.sql: it may have run as often.\n');
});

it.each([
  ['a folder with --mode raw', ['migrations', '--mode', 'raw'], /run each of its files again/],
  ['--force without a repeatable file', ['migrations', '--force'], /--force runs repeatable files again/],
  ['--plan with --dry-run', ['--plan', '--dry-run'], /cannot be combined/],
])('refuses %s', async (_name, args, words) => {
  const result = await run(...args);

  expect(result.exitCode).toBe(2);
  expect(result.err).toMatch(words);
  expect(plane.seen).toEqual([]);
});

it.each([
  ['a missing file', 'nothing.sql', 1, /There is no file or folder/],
  ['a folder without SQL', 'empty', 2, /no \.sql files/],
  ['bytes that are no UTF-8', 'latin1.sql', 1, /not UTF-8/],
  ['an empty file', 'empty.sql', 1, /is empty/],
])('refuses %s before anything is sent', async (_name, path, exitCode, words) => {
  await mkdir(join(sandbox.cwd, 'empty'));
  await writeFile(join(sandbox.cwd, 'latin1.sql'), Buffer.from([0x53, 0xe9, 0x3b]));
  await writeFile(join(sandbox.cwd, 'empty.sql'), '\n');

  const result = await run(path);

  expect(result.exitCode).toBe(exitCode);
  expect(result.err).toMatch(words);
  expect(plane.seen).toEqual([]);
});

it('suggests no command with what flux.json has instead of a name', async () => {
  await writeFile(join(sandbox.cwd, 'flux.json'), JSON.stringify({ slug: 'x; id\n', hash: 'REPLACE_AFTER_FLUX_INIT' }));

  expect((await run()).err).toContain('\nRun `flux init` to write the real one.\n');
});

describe('a file with codes for terminals in it', () => {
  const HIDE = '\u001b[8m';
  const shown = (text: string) => text.replaceAll('\u001b', '\\u001b');
  const onTerminal = (...args: string[]) => fluxOnTerminal(['push', ...args], { base: plane.base, sandbox });

  beforeEach(async () => {
    plane.routes[`GET /projects/${PROJECT.hash}/gate`] = () => ({
      decision: 'refused',
      tier: 'none',
      label: 'No backups',
      guidance: 'There is no backup.',
      command: 'flux backup create --verify',
      detail: 'no backup',
      pushPolicy: 'refuse',
    });
    await writeFile(join(sandbox.cwd, 'hide.sql'), `drop table if exists "tmp${HIDE}";\ndrop table customers;\n`);
  });

  it('hides nothing of the plan', async () => {
    const { out, exitCode } = await onTerminal('hide.sql', '--plan');

    expect(exitCode).toBe(0);
    expect(out).not.toContain(HIDE);
    expect(out).toContain(`hide.sql:1 destroys data: drop table if exists "tmp${shown(HIDE)}"`);
    expect(out).toContain('hide.sql:2 destroys data: drop table customers');
  });

  it('hides nothing of the refusal before it runs', async () => {
    const { out, exitCode } = await onTerminal('hide.sql');

    expect(exitCode).toBe(6);
    expect(out).not.toContain(HIDE);
    expect(out).toContain(`"tmp${shown(HIDE)}"`);
    expect(pushes()).toEqual([]);
  });

  it('hides nothing of what Postgres says about it, with the caret under its letter', async () => {
    await writeFile(join(sandbox.cwd, 'wrong.sql'), `select "${HIDE}" frm x;\n`);
    plane.routes[PUSH] = (_request, response) => sendProblem(response, 'sql_failed', 400, 'no', { problem: 'no', line: 1, column: 15 });

    const { out } = await onTerminal('wrong.sql');

    expect(out).not.toContain(HIDE);
    expect(out.replaceAll('\r', '')).toContain(`  1 | select "${shown(HIDE)}" frm x;\n    | ${' '.repeat(19)}^\n`);
  });

  it('hides nothing of the note about its way down', async () => {
    await writeFile(join(sandbox.cwd, 'migrations/003_ways.sql'), `select 1;\n-- migrate:down ${HIDE}\nselect 2;\n`);

    const { out } = await onTerminal('--plan');

    expect(out).not.toContain(HIDE);
    expect(out).toContain(`below \`-- migrate:down ${shown(HIDE)}\` in 003_ways.sql`);
  });
});
