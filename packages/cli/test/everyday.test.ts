import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  BACKUP_ID,
  backupItem,
  type ControlPlane,
  OPERATION_ID,
  operation,
  PROJECT,
  sendEvent,
  sendProblem,
  startControlPlane,
} from './control-plane.ts';
import { flux, makeSandbox, type Sandbox } from './flux.ts';

const NAMED = `--project ${PROJECT.slug} --hash ${PROJECT.hash}`;
const OTHER_ID = `${BACKUP_ID.slice(0, 13)}-7000-8000-000000000000`;

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
const lists = (...items: Record<string, unknown>[]) => {
  plane.routes[`GET /projects/${PROJECT.hash}/backups`] = () => ({
    backups: items,
    reconciledAt: '2026-06-20T17:18:33.697Z',
    nextCursor: null,
    freshness: {
      latestBackupId: BACKUP_ID,
      latestAt: '2026-06-20T17:18:33.697Z',
      tier: 'restorable',
      label: 'Restorable',
      verification: 'Restore-verified',
      safeDestructiveActions: 'Allowed',
    },
  });
};

describe('a project on the command line', () => {
  it.each(['show', 'verify', 'download', 'delete', 'pin', 'unpin', 'receipt', 'restore', 'list', 'create'])(
    'is named by its place, too, for `flux backup %s`',
    async (verb) => {
      const one = ['list', 'create'].includes(verb) ? [] : ['--latest'];
      const more = verb === 'delete' ? ['-y'] : verb === 'download' ? ['-o', 'x.dump'] : [];
      await run('backup', verb, PROJECT.slug, ...one, ...more);
      expect(plane.seen.at(-1)?.path).toContain(`/projects/${PROJECT.hash}/`);
      const twice = await run('backup', verb, PROJECT.slug, '-p', 'other', ...one, ...more);
      expect([twice.exitCode, twice.err]).toEqual([2, expect.stringContaining('Two projects are named')]);
    },
  );

  it('may be a name for people when it is created', async () => {
    plane.routes['POST /projects'] = ({ body }) => ({ project: { ...PROJECT, ...(body as object), status: 'running' } });
    const made = await run('create', 'Bloom Atelier');
    expect([made.exitCode, plane.seen.at(-1)?.body]).toEqual([0, { slug: 'bloom-atelier' }]);
    expect(made.err).toContain('Bloom Atelier becomes bloom-atelier.');
    const none = await run('create', '???');
    expect([none.exitCode, none.err]).toEqual([2, expect.stringContaining('"???" cannot be the name of a project')]);
  });

  it.each(['REPLACE_AFTER_FLUX_INIT', 'replace_after_flux_init'])('is not initialised while its hash is %s', async (hash) => {
    await writeFile(join(sandbox.cwd, 'flux.json'), JSON.stringify({ slug: PROJECT.slug, hash }));
    await writeFile(join(sandbox.cwd, 'schema.sql'), 'select 1');
    for (const args of [['backup', 'list'], ['push'], ['nuke', '-y'], ['project', 'credentials'], ['migrate', '--dry-run']]) {
      const answer = await run(...args);
      expect([args, answer.exitCode, answer.err]).toEqual([args, 2, expect.stringContaining(`Run \`flux init ${PROJECT.slug}\``)]);
    }
    expect(plane.seen).toEqual([]);
  });
});

describe('flux init', () => {
  const read = async () => JSON.parse(await readFile(join(sandbox.cwd, 'flux.json'), 'utf8')) as object;

  it('creates nothing that nobody has confirmed', async () => {
    plane.routes['POST /projects/link'] = () => ({ action: 'created', project: { ...PROJECT, slug: 'new-shop' } });
    for (const more of [[], ['--no-input']]) {
      const asked = await run('init', 'New Shop', ...more);
      expect([asked.exitCode, asked.err]).toEqual([2, expect.stringContaining('`flux init new-shop --yes`')]);
    }
    expect(plane.seen.every(({ method }) => method === 'GET')).toBe(true);
    expect((await run('init', 'New Shop', '--no-input', '-y')).exitCode).toBe(0);
    expect(plane.seen.at(-1)?.body).toEqual({ slug: 'new-shop' });
    expect(await read()).toEqual({ slug: 'new-shop', hash: PROJECT.hash });
  });

  it('leaves no secret in flux.json, and everything else', async () => {
    const kept = { theme: 'dark', apiUrl: 'http://x', nested: { port: 1 }, migrations: ['a'] };
    const secrets = {
      jwt_secret: 'a',
      postgresPassword: 'b',
      service_role_key: 'c',
      anonKey: 'd',
      'api-token': 'e',
      connectionString: 'f',
      database: 'postgresql://u:p@h/d',
      auth: { clientSecret: 'g' },
    };
    await writeFile(join(sandbox.cwd, 'flux.json'), JSON.stringify({ ...kept, ...secrets, slug: PROJECT.slug, hash: PROJECT.hash }));
    plane.routes['POST /projects/link'] = () => ({ action: 'linked', project: PROJECT });
    const linked = await run('init');
    expect([linked.exitCode, await read()]).toEqual([0, { ...kept, slug: PROJECT.slug, hash: PROJECT.hash }]);
    for (const name of Object.keys(secrets)) expect(linked.err).toContain(name);
    expect(linked.err).not.toContain('u:p@');
  });
});

describe('a backup by the first digits of its id', () => {
  it('is found when they are of one, and the path has the whole id', async () => {
    lists(backupItem(), backupItem({ id: OTHER_ID }));
    await run('backup', 'pin', PROJECT.slug, '--id', BACKUP_ID.slice(0, 16).toUpperCase());
    expect(plane.seen.at(-1)).toMatchObject({ method: 'POST', path: `/projects/${PROJECT.hash}/backups/${BACKUP_ID}/pin` });
  });

  it('is refused when they are of several, of none, or too few', async () => {
    lists(backupItem(), backupItem({ id: OTHER_ID }));
    const several = await run('backup', 'pin', PROJECT.slug, '--id', BACKUP_ID.slice(0, 13));
    expect([several.exitCode, several.err]).toEqual([2, expect.stringContaining(`${BACKUP_ID}, ${OTHER_ID}`)]);
    const none = await run('backup', 'pin', PROJECT.slug, '--id', 'ffff');
    expect([none.exitCode, none.err]).toEqual([4, expect.stringContaining(`flux backup list ${NAMED} --all`)]);
    expect((await run('backup', 'pin', PROJECT.slug, '--id', '019')).exitCode).toBe(2);
    expect(plane.seen.every(({ method }) => method === 'GET')).toBe(true);
  });
});

it('calls a deleted backup deleted, and says by whom', async () => {
  const gone = {
    tier: 'pipeline_incomplete',
    label: 'Backup artifact not valid',
    deletedAt: '2026-06-20T17:18:33.697Z',
    deletedBy: 'admin',
  };
  lists(backupItem(gone));
  const { out } = await run('backup', 'list', PROJECT.slug);
  expect(out).toMatch(/Deleted .* by admin$/m);
  expect(out).not.toContain('Backup artifact not valid');
});

it('shows in the list of projects what the newest backup of each allows', async () => {
  const listed = {
    ...PROJECT,
    status: 'running',
    lifecycle: 'active',
    createdAt: '2026-06-20T17:18:33.697Z',
    restarts: 0,
    removedAt: null,
  };
  plane.routes['GET /projects'] = () => ({ projects: [{ ...listed, tier: 'restorable', label: 'Restorable' }], nextCursor: null });
  const { out } = await run('ls');
  expect(out).toMatch(/^SLUG +HASH +STATUS +TRUST +MODE/);
  expect(out).toMatch(/^bloom-atelier +0a1b2c3 +running +Restorable /m);
  expect(JSON.parse((await run('list', '--json')).out)).toMatchObject([{ tier: 'restorable' }]);
});

describe('long work', () => {
  it('is not announced before the gate has allowed it', async () => {
    plane.routes[`POST /projects/${PROJECT.hash}/nuke`] = (_request, response) => sendProblem(response, 'gate_refused', 412, 'No backup.');
    const refused = await run('nuke', PROJECT.slug, '--hash', PROJECT.hash, '-y');
    expect(refused.exitCode).toBe(6);
    expect(refused.err).not.toContain('Removing');
  });

  it('is listed, watched by the first digits of its id, and cancelled', async () => {
    const done = operation('succeeded', { result: { backup: backupItem() }, kind: 'backup_create' });
    plane.routes['GET /operations'] = () => ({ operations: [done], nextCursor: null });
    plane.routes[`GET /operations/${OPERATION_ID}`] = () => done;
    plane.routes[`GET /operations/${OPERATION_ID}/events`] = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      sendEvent(response, 1, 'state', { operation: done });
      response.end();
    };
    plane.routes[`POST /operations/${OPERATION_ID}/cancel`] = () => operation('running');
    expect((await run('operation', 'list')).out).toMatch(new RegExp(`^ID +KIND .*\\n${OPERATION_ID} +backup_create`));
    await run('operation', 'list', PROJECT.slug, '--running');
    expect(Object.fromEntries(plane.seen.at(-1)?.query ?? [])).toMatchObject({ project: PROJECT.hash, state: 'running' });
    const watched = await run('operation', 'watch', OPERATION_ID.slice(0, 12));
    expect([watched.exitCode, watched.out]).toEqual([0, expect.stringMatching(/^State: +succeeded$/m)]);
    const cancelled = await run('operation', 'cancel', OPERATION_ID);
    expect([cancelled.exitCode, cancelled.err]).toEqual([0, expect.stringContaining(`flux operation watch ${OPERATION_ID}`)]);
    expect((await run('operation', 'watch', 'ffff')).exitCode).toBe(4);
  });
});

describe('help and versions', () => {
  it.each([['backup'], ['backups'], ['operation'], ['--json'], ['--no-color token']])('shows help for `flux %s`', async (line) => {
    const { exitCode, out, err } = await run(...line.split(' '));
    expect([exitCode, err]).toEqual([0, '']);
    expect(out).toContain('Commands:');
  });

  it('tells both versions, and warns when they differ', async () => {
    plane.routes['GET /api/health'] = () => ({ ok: true, version: '99.0.0' });
    const { exitCode, out, err } = await run('version');
    expect([exitCode, out]).toEqual([0, expect.stringMatching(/^flux: +\d+\.\d+\.\d+\nControl plane: +99\.0\.0 \(http/)]);
    expect(err).toContain('not of the same version');
    const alone = await flux(['version', '--json'], { base: 'http://127.0.0.1:1', sandbox });
    expect([alone.exitCode, JSON.parse(alone.out)]).toEqual([
      0,
      expect.objectContaining({ server: expect.objectContaining({ version: null }) }),
    ]);
  });

  it('suggests commands that reach the same control plane', async () => {
    lists();
    const base = plane.base.replace('/api', '');
    const { err } = await flux(['backup', 'show', PROJECT.slug, '--api-base', base], { sandbox });
    expect(err).toContain(`--api-base ${base}`);
  });
});
