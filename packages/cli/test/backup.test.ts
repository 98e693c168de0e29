import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import {
  BACKUP_ID,
  backupItem,
  type ControlPlane,
  OPERATION_ID,
  operation,
  PROJECT,
  proof,
  sendEvent,
  sendJson,
  startControlPlane,
} from './control-plane.ts';
import { flux, makeSandbox, type Sandbox } from './flux.ts';

vi.setConfig({ testTimeout: 60_000 });

const NAMED = ['--project', PROJECT.slug, '--hash', PROJECT.hash];
const VERIFY = `POST /projects/${PROJECT.hash}/backups/latest/verify`;
const CREATE = `POST /projects/${PROJECT.hash}/backups`;
const LIST = `GET /projects/${PROJECT.hash}/backups`;
const EVENTS = `GET /operations/${OPERATION_ID}/events`;
const STATE = `GET /operations/${OPERATION_ID}`;

let plane: ControlPlane;
let sandbox: Sandbox;
beforeEach(async () => {
  plane = await startControlPlane();
  sandbox = await makeSandbox();
});
afterEach(async () => {
  await plane.close();
  await sandbox[Symbol.asyncDispose]();
});
const run = (...args: string[]) => flux(args, { base: plane.base, sandbox });

function accept(route: string, kind = 'backup_verify'): void {
  plane.routes[route] = (_request, response) => sendJson(response, 202, operation('queued', { kind }));
}

function finishWith(final: object): void {
  plane.routes[EVENTS] = (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    sendEvent(response, 1, 'progress', { progress: { phase: 'dump', message: 'Dumping', done: 1024, unit: 'bytes' } });
    sendEvent(response, 2, 'state', { operation: final });
    response.end();
  };
}

function freshness(more: object = {}): object {
  return {
    latestBackupId: BACKUP_ID,
    latestAt: '2026-06-20T17:18:33.697Z',
    tier: 'restorable',
    label: 'Restorable',
    verification: 'Restore-verified',
    safeDestructiveActions: 'Allowed',
    ...more,
  };
}

it('creates a backup, shows it on stdout and what to do next on stderr', async () => {
  accept(CREATE, 'backup_create');
  finishWith(operation('succeeded', { kind: 'backup_create', result: { backup: backupItem() } }));

  const result = await run('backup', 'create', ...NAMED, '--note', 'before');

  expect(result.exitCode).toBe(0);
  expect(result.out).toBe(`Id:     ${BACKUP_ID}\nKind:   project_db\nSize:   5.0 MiB\nLabel:  Created, not restore-verified\n`);
  expect(result.err).toContain(`flux backup verify ${NAMED.join(' ')} --latest`);
  const post = plane.seen.find(({ method }) => method === 'POST');
  expect(post?.headers).toMatchObject({ 'idempotency-key': expect.stringMatching(/^[0-9a-f-]{36}$/) });
  expect(post?.body).toEqual({ note: 'before' });
});

it('does not call a backup created whose artifact is not valid', async () => {
  accept(CREATE, 'backup_create');
  finishWith(
    operation('succeeded', {
      kind: 'backup_create',
      result: { backup: backupItem({ artifactValidationStatus: 'pending', label: 'Validating backup artifact' }) },
    }),
  );

  const result = await run('backup', 'create', ...NAMED);

  expect(result.exitCode).toBe(1);
  expect(result.out).toBe('');
});

it('ends with 0 and says what was proven when a backup is restorable', async () => {
  accept(VERIFY);
  finishWith(operation('succeeded', { result: { proof: proof() } }));
  plane.routes[`GET /projects/${PROJECT.hash}/backups/${BACKUP_ID}`] = () => ({
    backup: backupItem({ label: 'Restorable' }),
    prerequisitesSql: null,
    verifications: [],
  });

  const result = await run('backup', 'verify', ...NAMED, '--latest');

  expect(result.exitCode).toBe(0);
  expect(result.out).toContain('✓ Restorable');
  expect(result.out).toMatch(/Rows: +15,607 compared/);
  expect(result.out).toMatch(/Objects: +12 indexes, 2 policies\n/);
  expect(result.out).toMatch(/Time taken: +2\.3 s \(restore 2\.0 s, compare 300 ms, open 45 ms\)/);
  expect(result.out).toMatch(/Receipt: +0197a5c2-2222/);
});

it('ends with 7 and prints every difference when a verification failed', async () => {
  accept(VERIFY);
  const differences = [
    { judgement: 'failure', kind: 'table', name: 'public.orders', change: 'changed', expected: '100 rows', found: '99 rows' },
    { judgement: 'not_compared', kind: 'role', name: 'app', change: 'unknown', expected: null, found: null },
  ];
  finishWith(operation('succeeded', { result: { proof: proof({ verdict: 'failed', differences, toolOutput: 'pg_restore: error: oh' }) } }));

  const result = await run('backup', 'verify', ...NAMED, '--latest');

  expect(result.exitCode).toBe(7);
  expect(result.out).toContain('✗ Restore verification failed');
  expect(result.out).toContain('changed table public.orders · there: 100 rows · here: 99 rows');
  expect(result.out).toContain('Not compared: 1\n  unknown role app');
  expect(result.out).toContain('pg_restore said:\n  pg_restore: error: oh');
});

it('ends with 10 when a verification is inconclusive, and stays one JSON document', async () => {
  accept(VERIFY);
  finishWith(operation('succeeded', { result: { proof: proof({ verdict: 'inconclusive', receiptId: null }) } }));

  const result = await run('backup', 'verify', ...NAMED, '--latest', '--json');

  expect(result.exitCode).toBe(10);
  expect(JSON.parse(result.out)).toMatchObject({ proof: { verdict: 'inconclusive' } });
  expect(result.err).toBe('');
});

it('renders the error of an operation with its own exit code', async () => {
  accept(VERIFY);
  const problem = { code: 'backup_not_found', detail: 'This project has no backup.', status: 404, hint: 'Run `flux backup create`.' };
  finishWith(operation('failed', { error: problem }));

  const result = await run('backup', 'verify', ...NAMED, '--latest');

  expect(result.exitCode).toBe(4);
  expect(result.out).toBe('');
  expect(result.err).toContain('Error: This project has no backup.\nRun `flux backup create --project bloom-atelier --hash 0a1b2c3`.\n');
});

it('resumes a broken event stream behind the last event that it saw', async () => {
  accept(VERIFY);
  plane.routes[STATE] = () => operation('running');
  plane.routes[EVENTS] = ({ headers }, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    if (headers['last-event-id'] === undefined) {
      sendEvent(response, 7, 'progress', { progress: { phase: 'restore', message: 'Restoring' } });
      setTimeout(() => response.destroy(), 50);
    } else {
      sendEvent(response, 8, 'state', { operation: operation('succeeded', { result: { proof: proof() } }) });
      response.end();
    }
  };

  expect((await run('backup', 'verify', ...NAMED, '--latest')).exitCode).toBe(0);
  const asked = plane.seen.filter(({ path }) => path.endsWith('/events')).map(({ headers }) => headers['last-event-id']);
  expect(asked).toEqual([undefined, '7']);
});

it('asks for the state where the event stream does not work', async () => {
  accept(VERIFY);
  plane.routes[EVENTS] = (_request, response) => response.destroy();
  let asked = 0;
  plane.routes[STATE] = () => {
    asked += 1;
    return asked < 3 ? operation('running') : operation('succeeded', { result: { proof: proof() } });
  };

  expect((await run('backup', 'verify', ...NAMED, '--latest')).exitCode).toBe(0);
});

it('stops watching on Ctrl-C, ends with 130 and says how to look again', async () => {
  accept(VERIFY);
  let child: { kill(signal: NodeJS.Signals): void } | undefined;
  plane.routes[EVENTS] = (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    sendEvent(response, 1, 'progress', { progress: { phase: 'restore', message: 'Restoring' } });
    setTimeout(() => child?.kill('SIGINT'), 100);
    return new Promise(() => {});
  };

  const result = await flux(['backup', 'verify', ...NAMED, '--latest'], {
    base: plane.base,
    sandbox,
    onSpawn: (spawned) => (child = spawned),
  });

  expect(result.exitCode).toBe(130);
  expect(result.err).toContain(
    `Watch it again with \`flux operation watch ${OPERATION_ID}\`, or check it with \`flux backup list ${NAMED.join(' ')}\`.`,
  );
  expect(plane.seen.some(({ path }) => path.endsWith('/cancel'))).toBe(false);
});

it.each([
  [['backup', 'verify', ...NAMED], /--latest or --id/],
  [['backup', 'verify', ...NAMED, '--id', 'nonsense'], /flux backup list/],
  [['backup', 'verify', ...NAMED, '--latest', '--id', BACKUP_ID], /Both --latest and --id/],
  [['backup', 'list', '--hash', 'xyz'], /seven digits/],
  [['backup', 'list', '--hash', 'REPLACE_AFTER_FLUX_INIT'], /flux init/],
  [['backup', 'list'], /No project is named/],
  [['backup', 'download', ...NAMED, '--latest', '--json'], /--json/],
])('refuses %j with exit code 2 before anything is sent', async (args, words) => {
  const result = await run(...args);

  expect(result.exitCode).toBe(2);
  expect(result.err).toMatch(words);
  expect(result.out).toBe('');
  expect(plane.seen).toEqual([]);
});

it('refuses a slug and a hash of different projects, naming both', async () => {
  const result = await run('backup', 'create', '--project', 'other-shop', '--hash', PROJECT.hash);

  expect(result.exitCode).toBe(2);
  expect(result.err).toContain('other-shop');
  expect(result.err).toContain(PROJECT.slug);
  expect(plane.seen.every(({ method }) => method === 'GET')).toBe(true);
});

it('answers the question of the first three lines, and survives a reader that leaves after them', async () => {
  plane.routes[LIST] = () => ({
    backups: Array.from({ length: 900 }, () => backupItem({ label: 'Restorable', tier: 'restorable' })),
    reconciledAt: '2026-06-20T17:18:33.697Z',
    nextCursor: null,
    freshness: freshness(),
  });

  const result = await flux(['backup', 'list', ...NAMED, '--all', '--verbose'], {
    base: plane.base,
    sandbox,
    onSpawn: (child) => child.stdout?.once('data', () => child.stdout?.destroy()),
  });

  expect(result.exitCode).toBe(0);
  expect(result.err).toBe('');
  const [first, second, third, fourth, header, fifth] = result.out.split('\n');
  expect(first).toMatch(
    /^Latest backup: {12}1781975913697 · 2026-06-20T17:18:33\.697Z · Jun 20, 2026, 5:18 PM UTC · (?:in )?\d+ (?:days?|months?|years?)/,
  );
  expect(second).toBe('Verification:             Restore-verified');
  expect(third).toBe('Safe destructive actions: Allowed');
  expect(fourth).toBe('');
  expect(header).toMatch(/^ID +CREATED +SIZE +LABEL$/);
  expect(fifth).toMatch(new RegExp(`^${BACKUP_ID} +1781975913697 · .* 5\\.0 MiB +Restorable$`));
});

it('says none when there is no backup, and how to make one', async () => {
  plane.routes[LIST] = () => ({
    backups: [],
    reconciledAt: '2026-06-20T17:18:33.697Z',
    nextCursor: null,
    freshness: freshness({
      latestBackupId: null,
      latestAt: null,
      tier: 'no_backups',
      verification: 'No backup yet',
      safeDestructiveActions: 'Blocked until verification',
    }),
  });

  const result = await run('backup', 'list', ...NAMED);

  expect(result.out).toBe(
    'Latest backup:            none\nVerification:             No backup yet\nSafe destructive actions: Blocked until verification\n',
  );
  expect(result.err).toContain('flux backup create');
});

it('follows the cursor with --all', async () => {
  plane.routes[LIST] = ({ query }) => ({
    backups: [backupItem()],
    reconciledAt: '2026-06-20T17:18:33.697Z',
    nextCursor: query.get('cursor') === null ? 'more' : null,
    freshness: freshness(),
  });

  const result = await run('backup', 'list', ...NAMED, '--all', '--json');

  expect(JSON.parse(result.out).backups).toHaveLength(2);
});
