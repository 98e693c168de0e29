import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectError, expectUntouched, isRoot, world } from './bad-input/world.ts';
import { inDisguise, needsDisguise } from './harness/disguise.ts';
import { ROOT, startFlux } from './harness/flux.ts';
import { freePort } from './harness/port.ts';
import { type Ended, run } from './harness/process.ts';
import './bad-input/push.ts';

const SERVER = join(ROOT, 'packages/server/bin/flux-server.js');
const disguised = await needsDisguise();

beforeAll(async () => {
  world.flux = await startFlux();
  [world.shop, world.other] = await Promise.all([
    world.flux.createProject('shop', 'v1_dedicated'),
    world.flux.createProject('other', 'v2_shared'),
  ]);
  await world.flux.push(world.shop, 'create table t (id int primary key); insert into t values (1), (2), (3);');
});
afterAll(() => world.flux?.[Symbol.asyncDispose]());

describe('naming a project', () => {
  it.each(['create', 'list', 'verify --latest', 'download --latest -o ./x.dump', 'show --latest'])(
    'is refused by `backup %s` when it does not exist, disagrees, or is malformed',
    async (words) => {
      const command = ['backup', ...words.split(' ')];
      expectError(
        await world.flux.flux(...command, '--project', 'shop', '--hash', '0000000'),
        4,
        'Project not found: you have none with the hash 0000000.',
        'See `flux list`.',
      );
      expectError(
        await world.flux.flux(...command, '--project', 'no-such-shop'),
        4,
        'You have no project named no-such-shop.',
        'See `flux list`.',
      );
      expectError(
        await world.flux.flux(...command, '--project', 'shop', '--hash', world.other.hash),
        2,
        `The slug and the hash name different projects: you wrote shop, but ${world.other.hash} is the hash of other. Nothing was done.`,
      );
      for (const hash of ['012345', '01234567', 'ABCDEF0', 'ghijklm', '']) {
        expectError(
          await world.flux.flux(...command, '--project', 'shop', `--hash=${hash}`),
          2,
          'is not the hash of a project: seven digits of 0-9 and a-f.',
        );
      }
    },
  );

  it('is refused by push before anything runs', async () => {
    writeFileSync(join(world.flux.folder, 'drop.sql'), 'drop table t;');
    expectError(await world.flux.flux('push', 'drop.sql', '--project', 'other', '--hash', world.shop.hash), 2, 'Nothing was done.');
    expectError(await world.flux.flux('push', 'drop.sql'), 2, 'No project is named, and there is no flux.json here or in a folder above.');
  });

  afterAll(expectUntouched);
});

describe('a token', () => {
  const typo = (token: string) => token.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
  const unknown = () => {
    const body = `flx_live_${'0'.repeat(32)}`;
    return `${body}_${createHash('sha256').update(body).digest('hex').slice(0, 4)}`;
  };
  const withToken = (token: string) => world.flux.fluxWith({ env: { FLUX_API_TOKEN: token } }, 'list');

  it('is asked for when there is none', async () => {
    expectError(await withToken(''), 5, 'flux login');
  });
  it('is refused when the control plane does not know it', async () => {
    expectError(await withToken(unknown()), 5, 'The control plane does not know this token.', 'flux login');
  });
  it('is refused without a request when it is mistyped', async () => {
    const mistyped = typo(world.flux.token());
    const refused = await world.flux.fluxWith({ env: { FLUX_API_TOKEN: mistyped, FLUX_API_BASE: 'http://127.0.0.1:9/api' } }, 'list');
    expectError(refused, 5, 'mistyped');
    expect(refused.stderr).not.toContain(mistyped);
    const answer = await world.flux.api('/list', { headers: { authorization: `Bearer ${mistyped}` } });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([401, 'token_malformed']);
  });
  it('is not made of the end of the input at the prompt of login', async () => {
    expectError(await world.flux.fluxWith({ env: { FLUX_API_TOKEN: '' } }, 'login'), 2, 'flux login --token-stdin');
    expectError(
      await world.flux.fluxWith({ env: { FLUX_API_TOKEN: '' }, input: '' }, 'login', '--token-stdin'),
      2,
      'Standard input ended without a token.',
    );
    const line = "script -qefc 'stty cols 80; flux login' ./screen";
    // Ctrl-D as soon as the question is there; sent before, it would be no key but the end of a line.
    const typed = "(until grep -q 'Token for' ./screen; do sleep 0.1; done; printf '\\004')";
    const terminal = await world.flux.shell(`touch ./screen; ${typed} | timeout 30 ${line}`, { FLUX_API_TOKEN: '' });
    expect(terminal.stdout).toContain('The input ended before anything was entered.');
    expect(terminal.exitCode).toBe(2);
    expect(existsSync(join(world.flux.folder, '.flux/config.json'))).toBe(false);
  });
});

/** Runs a line on a terminal of its own whose input ends at once; everything shown is in `stdout`. */
async function onTerminal(line: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return world.flux.shell(`script -qec '${line}' /dev/null < /dev/null`, env);
}

describe('the control plane', () => {
  it('is said not to answer when it is not running', async () => {
    const port = await freePort();
    expectError(
      await world.flux.fluxWith({ env: { FLUX_API_BASE: `http://127.0.0.1:${port}` } }, 'backup', 'create', ...world.shop.flags),
      9,
      `The control plane at http://127.0.0.1:${port} does not answer: connection refused.`,
      'npm start',
    );
  });

  /** Starts a second server that must refuse. */
  async function refusedStart(env: Readonly<Record<string, string>>, as: readonly string[] = []): Promise<Ended> {
    const folder = mkdtempSync(join(tmpdir(), 'flux-refused-'));
    // Another account must be able to walk through: Postgres when we are root, or the one that the server runs as.
    chmodSync(folder, 0o711);
    try {
      const [command = '', ...args] = [...as, process.execPath, SERVER];
      const listen = `127.0.0.1:${await freePort()}`;
      return await run(command, args, {
        cwd: '/',
        env: { FLUX_DATA_DIR: join(folder, 'data'), FLUX_LISTEN: listen, FLUX_LOG_LEVEL: 'silent', ...env },
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  it('refuses a port that is taken', async () => {
    const listen = new URL(world.flux.url).host;
    const refused = await refusedStart({ FLUX_LISTEN: listen });
    expect(refused).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: `Another program listens on ${listen}.\nStop it, or choose another address with FLUX_LISTEN=127.0.0.1:4401.\n`,
    });
  });

  it('refuses the data folder of another Flux', async () => {
    const refused = await refusedStart({ FLUX_DATA_DIR: world.flux.dataFolder });
    expect(refused.stderr).toBe(
      `Another Flux already uses the data folder ${world.flux.dataFolder}.\nStop that one first, or set FLUX_DATA_DIR to another folder.\n`,
    );
    expect(refused.exitCode).toBe(1);
    expect((await world.flux.flux('list')).exitCode).toBe(0);
  });

  it('refuses a data folder that it cannot write to', async () => {
    const file = join(world.flux.folder, 'a-file');
    writeFileSync(file, '');
    const refused = await refusedStart({ FLUX_DATA_DIR: join(file, 'data') });
    expect(refused.stderr).toContain(`The data folder ${join(file, 'data')} cannot be written: `);
    expect(refused.stderr).toContain('FLUX_DATA_DIR');
    expect(refused.exitCode).toBe(1);

    const sealed = join(world.flux.folder, 'sealed');
    mkdirSync(sealed, { mode: 0o555 });
    const as = isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
    const denied = await refusedStart({ FLUX_DATA_DIR: sealed }, as);
    expect(denied.stderr).toContain(`The data folder ${sealed} cannot be written: `);
    expect(denied.exitCode).toBe(1);
  });

  it('refuses to start without the Postgres programs that it was told to take', async () => {
    const refused = await refusedStart({ FLUX_POSTGRES_MAJOR: '99' });
    expect(refused.stderr).toContain(
      'PostgreSQL 99 is needed, and postgres, initdb, pg_dump, pg_restore of that major version cannot be found.',
    );
    expect(refused.stderr).toMatch(
      /Install it with .*`apt-get install postgresql-99`; or set FLUX_POSTGRES_BIN_DIRS to the folder that contains it\./,
    );
    expect(refused.exitCode).toBe(1);
  });

  it('refuses to start on a machine without Postgres', disguised, async () => {
    const bare = inDisguise('mount -t tmpfs none /usr/lib/postgresql', ['/usr/bin/env', 'PATH=/nowhere']);
    const refused = await refusedStart({}, bare);
    expect(refused.stderr).toMatch(
      /^No PostgreSQL with both server and client programs can be found on this host\.\nInstall one, for example with `apt-get /,
    );
    expect(refused.exitCode).toBe(1);
  });

  it.each([
    ['FLUX_LISTN', '127.0.0.1:1', 'FLUX_LISTN is not a setting; the nearest one is FLUX_LISTEN'],
    ['FLUX_BACKUP_LOCAL_DIR', '/tmp', 'FLUX_BACKUP_LOCAL_DIR is not a setting; the nearest one is FLUX_BACKUPS_LOCAL_DIR'],
    ['FLUX_LISTEN', 'everywhere', 'FLUX_LISTEN is host:port, such as 127.0.0.1:4400'],
    ['FLUX_CATALOG_URL_FILE', '/nowhere/url', 'FLUX_CATALOG_URL_FILE names a file that is not there: /nowhere/url'],
    ['FLUX_VERIFY_MEMORY', 'much', 'FLUX_VERIFY_MEMORY is a size such as 512MiB or 4GiB'],
  ])('refuses the setting %s=%s', async (name, value, said) => {
    const refused = await refusedStart({ [name]: value, FLUX_LOG_LEVELS: 'x' });
    expect(refused.stderr).toContain(`  ${said}\n`);
    // All problems are told at once.
    expect(refused.stderr).toContain('  FLUX_LOG_LEVELS is not a setting; the nearest one is FLUX_LOG_LEVEL\n');
    expect(refused.exitCode).toBe(2);
  });
});

describe('a stopped instance', () => {
  it('is said to be stopped, with the command that starts it, and no backup is recorded', async () => {
    expect((await world.flux.flux('project', 'stop', 'shop', '--hash', world.shop.hash)).stdout).toBe(
      `shop (${world.shop.hash}) is stopped.\n`,
    );
    writeFileSync(join(world.flux.folder, 'one.sql'), 'select 1;');
    for (const command of [
      ['backup', 'create'],
      ['push', 'one.sql'],
      ['migrations', 'list'],
    ]) {
      expectError(await world.flux.flux(...command, ...world.shop.flags), 1, 'stopped', 'flux project start shop');
    }
    expect((await world.flux.flux('list')).stdout).toMatch(/^shop +[0-9a-f]{7} +stopped /m);

    expect((await world.flux.flux('project', 'start', 'shop', '--hash', world.shop.hash)).exitCode).toBe(0);
    await expectUntouched();
  });
});

describe('backups', () => {
  it.each([
    ['show', '--id', 'nine'],
    ['verify', '--id', '018'],
    ['download', '--id', '../../etc/passwd', '-o', './x.dump'],
  ])('refuses an id that is none: backup %s', async (...words) => {
    expectError(await world.flux.flux('backup', ...words, ...world.shop.flags), 2, 'is not the id of a backup.', 'flux backup list');
  });

  it('says so when there is no such backup, and how to make one', async () => {
    const beginning = await world.flux.flux('backup', 'verify', '--id', '01890000-0000-7000-8000', ...world.shop.flags);
    expectError(beginning, 4, 'There is no backup whose id begins with 01890000-0000-7000-8000.', 'flux backup list');
    const id = '01890000-0000-7000-8000-000000000000';
    expectError(
      await world.flux.flux('backup', 'verify', '--id', id, ...world.shop.flags),
      4,
      `shop has no backup ${id}.`,
      'flux backup list',
    );
    for (const words of [['verify'], ['download', '-o', './x.dump'], ['show']]) {
      expectError(
        await world.flux.flux('backup', ...words, '--latest', ...world.shop.flags),
        4,
        'shop has no backup yet.',
        'flux backup create',
      );
    }
    expectError(await world.flux.flux('backup', 'verify', ...world.shop.flags), 2, '--latest or --id <backupId>');
    expectError(
      await world.flux.flux('backup', 'verify', '--latest', '--id', id, ...world.shop.flags),
      2,
      'Both --latest and --id are given.',
    );
    const listed = await world.flux.flux('backup', 'list', ...world.shop.flags);
    expect(listed.stdout).toBe(
      'Latest backup:            none\nVerification:             No backup yet\nSafe destructive actions: Blocked until verification\n',
    );
  });

  it('refuses the second of two creates of one project', async () => {
    await world.flux.push(world.shop, 'create table bulk as select i, md5(i::text) as m from generate_series(1, 200000) i');
    const both = await Promise.all([
      world.flux.flux('backup', 'create', ...world.shop.flags),
      world.flux.flux('backup', 'create', ...world.shop.flags),
    ]);
    expect(both.map(({ exitCode }) => exitCode).sort()).toEqual([0, 8]);
    const refused = both.find(({ exitCode }) => exitCode === 8) as Ended;
    expectError(refused, 8, /^Error: A backup of this project is already running \(operation [0-9a-f-]{36}\)\./m);
  });

  it('refuses to write binary to a terminal, with the two ways that work', async () => {
    const shown = await onTerminal(`flux backup download --latest ${world.shop.flags.join(' ')}`);
    expect(shown.stdout).toContain('A backup is binary and would garble the terminal. Nothing was downloaded.');
    expect(shown.stdout).toMatch(/Use -o <path>, or redirect: flux backup download --latest > \.\/backup\.dump/);
    expect(shown.stdout).not.toContain('PGDMP');
    expect(shown.exitCode).toBe(2);
  });

  it('refuses -o into a folder that is not there, before anything is sent', async () => {
    const port = await freePort();
    const refused = await world.flux.fluxWith(
      { env: { FLUX_API_BASE: `http://127.0.0.1:${port}` } },
      ...['backup', 'download', '--latest', '-o', './no/such/x.dump', ...world.shop.flags],
    );
    expectError(refused, 1, `There is no folder ${join(world.flux.folder, 'no/such')}, so x.dump cannot be written there.`, 'mkdir -p');
  });
});

describe('create', () => {
  it('refuses a name that is taken', async () => {
    for (const mode of ['v1_dedicated', 'v2_shared']) {
      expectError(await world.flux.flux('create', 'Shop!', '--mode', mode), 1, 'A project with the name shop already exists.', 'flux list');
    }
  });

  it.each(['1shop', 'a'.repeat(41), '', '???', '日本'])('refuses the name "%s"', async (name) => {
    expectError(await world.flux.flux('create', name), 2, 'cannot be the name of a project');
  });

  it.each([
    [['--mode', 'v3'], 2, 'v1_dedicated'],
    [['--attach', 'mysql://x'], 2, 'does not begin with postgresql://'],
    [['--nonsense'], 2, "Unknown option '--nonsense'."],
  ] as const)('refuses the options %j', async (options, exitCode, said) => {
    expectError(await world.flux.flux('create', 'fine', ...options), exitCode, said);
  });

  it('refuses to attach what does not answer, without the password in the message, and makes no project', async () => {
    const port = await freePort();
    const refused = await world.flux.fluxWith(
      { env: { FLUX_ATTACH_URI: `postgresql://me:very-secret@127.0.0.1:${port}/db` } },
      'create',
      'far',
      '--attach',
    );
    expectError(refused, 1, `127.0.0.1:${port}`);
    expect(refused.stderr + world.flux.log()).not.toContain('very-secret');
    expect((await world.flux.flux('list')).stdout).not.toContain('far ');
  });
});
