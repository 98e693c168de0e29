import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Flux, ROOT, startFlux, type TestProject } from './harness/flux.ts';
import { freePort } from './harness/port.ts';
import { psql } from './harness/postgres.ts';
import { type Ended, run } from './harness/process.ts';

const SERVER = join(ROOT, 'packages/server/bin/flux-server.js');
const isRoot = process.getuid?.() === 0;

let flux: Flux;
let shop: TestProject;
let other: TestProject;

beforeAll(async () => {
  flux = await startFlux();
  [shop, other] = await Promise.all([flux.createProject('shop', 'v1_dedicated'), flux.createProject('other', 'v2_shared')]);
  await flux.push(shop, 'create table t (id int primary key); insert into t values (1), (2), (3);');
});
afterAll(() => flux?.[Symbol.asyncDispose]());

/** An error has a sentence, a hint, nothing on stdout, no stack, and its own exit code. */
function expectError(ended: Ended, exitCode: number, ...texts: (string | RegExp)[]): void {
  for (const text of texts) {
    if (typeof text === 'string') expect(ended.stderr).toContain(text);
    else expect(ended.stderr).toMatch(text);
  }
  expect(ended.stderr).toMatch(/^Error: /m);
  expect(ended.stderr).not.toMatch(/^ +at .+:\d+:\d+\)?$/m);
  expect(ended.stdout).toBe('');
  expect(ended.exitCode).toBe(exitCode);
}

/** Nothing that a refused command could have changed has changed. */
async function expectUntouched(): Promise<void> {
  for (const project of [shop, other]) {
    const listed = await flux.flux('backup', 'list', ...project.flags, '--json');
    expect((JSON.parse(listed.stdout) as { backups: object[] }).backups).toEqual([]);
  }
  expect(await psql(shop.uri, 'select count(*) from t')).toBe('3\n');
}

describe('naming a project', () => {
  it.each(['create', 'list', 'verify --latest', 'download --latest -o ./x.dump', 'show --latest'])(
    'is refused by `backup %s` when it does not exist, disagrees, or is malformed',
    async (words) => {
      const command = ['backup', ...words.split(' ')];
      expectError(
        await flux.flux(...command, '--project', 'shop', '--hash', '0000000'),
        4,
        'No project of yours has the hash 0000000.',
        'See `flux list`.',
      );
      expectError(
        await flux.flux(...command, '--project', 'no-such-shop'),
        4,
        'You have no project named no-such-shop.',
        'See `flux list`.',
      );
      expectError(
        await flux.flux(...command, '--project', 'shop', '--hash', other.hash),
        2,
        `The slug and the hash name different projects: you wrote shop, but ${other.hash} is the hash of other. Nothing was done.`,
      );
      for (const hash of ['012345', '01234567', 'ABCDEF0', 'ghijklm', '']) {
        expectError(
          await flux.flux(...command, '--project', 'shop', `--hash=${hash}`),
          2,
          'is not the hash of a project: seven digits of 0-9 and a-f.',
        );
      }
    },
  );

  it('is refused by push before anything runs', async () => {
    writeFileSync(join(flux.folder, 'drop.sql'), 'drop table t;');
    expectError(await flux.flux('push', 'drop.sql', '--project', 'other', '--hash', shop.hash), 2, 'Nothing was done.');
    expectError(await flux.flux('push', 'drop.sql'), 2, 'No project is named, and there is no flux.json here or in a folder above.');
  });

  afterAll(expectUntouched);
});

describe('a token', () => {
  const typo = (token: string) => token.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
  const unknown = () => {
    const body = `flx_live_${'0'.repeat(32)}`;
    return `${body}_${createHash('sha256').update(body).digest('hex').slice(0, 4)}`;
  };
  const withToken = (token: string) => flux.fluxWith({ env: { FLUX_API_TOKEN: token } }, 'list');

  it('is asked for when there is none', async () => {
    expectError(await withToken(''), 5, 'flux login');
  });
  it('is refused when the control plane does not know it', async () => {
    expectError(await withToken(unknown()), 5, 'The control plane does not know this token.', 'flux login');
  });
  it('is refused without a word to the control plane when it is mistyped', async () => {
    const mistyped = typo(flux.token());
    const refused = await flux.fluxWith({ env: { FLUX_API_TOKEN: mistyped, FLUX_API_BASE: 'http://127.0.0.1:9/api' } }, 'list');
    expectError(refused, 5, 'mistyped');
    expect(refused.stderr).not.toContain(mistyped);
    const answer = await flux.api('/list', { headers: { authorization: `Bearer ${mistyped}` } });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([401, 'token_malformed']);
  });
  it('is not made of the end of the input at the prompt of login', async () => {
    expectError(await flux.fluxWith({ env: { FLUX_API_TOKEN: '' } }, 'login'), 2, 'flux login --token-stdin');
    expectError(
      await flux.fluxWith({ env: { FLUX_API_TOKEN: '' }, input: '' }, 'login', '--token-stdin'),
      2,
      'Standard input ended without a token.',
    );
    const line = "script -qefc 'stty cols 80; flux login' ./screen";
    // Ctrl-D as soon as the question is there; sent before, it would be no key but the end of a line.
    const typed = "(until grep -q 'Token for' ./screen; do sleep 0.1; done; printf '\\004')";
    const terminal = await flux.shell(`touch ./screen; ${typed} | timeout 30 ${line}`, { FLUX_API_TOKEN: '' });
    expect(terminal.stdout).toContain('The input ended before anything was entered.');
    expect(terminal.exitCode).toBe(2);
    expect(existsSync(join(flux.folder, '.flux/config.json'))).toBe(false);
  });
});

/** Runs a line on a terminal of its own whose input ends at once; everything shown is in `stdout`. */
async function onTerminal(line: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return flux.shell(`script -qec '${line}' /dev/null < /dev/null`, env);
}

describe('the control plane', () => {
  it('is said not to answer when it is not running', async () => {
    const port = await freePort();
    expectError(
      await flux.fluxWith({ env: { FLUX_API_BASE: `http://127.0.0.1:${port}` } }, 'backup', 'create', ...shop.flags),
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
    const listen = new URL(flux.url).host;
    const refused = await refusedStart({ FLUX_LISTEN: listen });
    expect(refused).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: `Another program listens on ${listen}.\nStop it, or choose another address with FLUX_LISTEN=127.0.0.1:4401.\n`,
    });
  });

  it('refuses the data folder of another Flux', async () => {
    const refused = await refusedStart({ FLUX_DATA_DIR: flux.dataFolder });
    expect(refused.stderr).toBe(
      `Another Flux already uses the data folder ${flux.dataFolder}.\nStop that one first, or give this one a folder of its own with FLUX_DATA_DIR.\n`,
    );
    expect(refused.exitCode).toBe(1);
    expect((await flux.flux('list')).exitCode).toBe(0);
  });

  it('refuses a data folder that it cannot write to', async () => {
    const file = join(flux.folder, 'a-file');
    writeFileSync(file, '');
    const refused = await refusedStart({ FLUX_DATA_DIR: join(file, 'data') });
    expect(refused.stderr).toContain(`The data folder ${join(file, 'data')} cannot be written: `);
    expect(refused.stderr).toContain('FLUX_DATA_DIR');
    expect(refused.exitCode).toBe(1);

    const sealed = join(flux.folder, 'sealed');
    mkdirSync(sealed, { mode: 0o555 });
    const as = isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
    const denied = await refusedStart({ FLUX_DATA_DIR: sealed }, as);
    expect(denied.stderr).toContain(`The data folder ${sealed} cannot be written: `);
    expect(denied.exitCode).toBe(1);
  });

  it('refuses to start without the Postgres programs that it was told to take', async () => {
    const refused = await refusedStart({ FLUX_POSTGRES_MAJOR: '99' });
    expect(refused.stderr).toContain('PostgreSQL 99 is needed, and postgres, initdb, pg_dump, pg_restore of that major cannot be found.');
    expect(refused.stderr).toContain(
      'Install it with `apt-get install postgresql-99`, or name the folder that holds it in FLUX_POSTGRES_BIN_DIRS.',
    );
    expect(refused.exitCode).toBe(1);
  });

  it.runIf(existsSync('/usr/bin/bwrap'))('refuses to start on a machine without Postgres', async () => {
    const bare = ['/usr/bin/bwrap', '--dev-bind', '/', '/', '--tmpfs', '/usr/lib/postgresql'];
    const refused = await refusedStart({ PATH: '/nowhere' }, bare);
    expect(refused.stderr).toMatch(
      /^PostgreSQL \d+ is needed, and .* of that major cannot be found\. No other major is here\.\nInstall it with `apt-get /,
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
    expect((await flux.flux('project', 'stop', 'shop', '--hash', shop.hash)).stdout).toBe(`shop (${shop.hash}) is stopped.\n`);
    writeFileSync(join(flux.folder, 'one.sql'), 'select 1;');
    for (const command of [
      ['backup', 'create'],
      ['push', 'one.sql'],
      ['migrations', 'list'],
    ]) {
      expectError(await flux.flux(...command, ...shop.flags), 1, 'stopped', 'flux project start shop');
    }
    expect((await flux.flux('list')).stdout).toMatch(/^shop +[0-9a-f]{7} +stopped /m);

    expect((await flux.flux('project', 'start', 'shop', '--hash', shop.hash)).exitCode).toBe(0);
    await expectUntouched();
  });
});

describe('push', () => {
  const place = (name: string, files: Record<string, string | Buffer>) => {
    mkdirSync(join(flux.folder, name), { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(flux.folder, name, file), text);
    return name;
  };
  const ledger = async (project: TestProject) => {
    const listed = await flux.flux('migrations', 'list', ...project.flags, '--json');
    return (JSON.parse(listed.stdout) as { applied: { filename: string }[] }).applied.map(({ filename }) => filename);
  };

  it.each(['v1', 'v2'])('applies nothing of a file that fails in the middle, and shows statement and line (%s)', async (engine) => {
    const project = engine === 'v1' ? shop : other;
    const folder = place(`broken-${engine}`, {
      '001_good.sql': 'create table good (id int);\n',
      '002_bad.sql':
        'create table half (id int);\ninsert into half values (1);\n\ninsert into half\n  values (2, no_such_column);\ncreate table later (id int);\n',
      '003_never.sql': 'create table never (id int);\n',
    });
    const pushed = await flux.flux('push', `./${folder}`, ...project.flags);

    expect(pushed.stdout).toBe('Flux migrations\n→ 001_good.sql applying...\n✓ 001_good.sql applied\n→ 002_bad.sql applying...\n');
    expect(pushed.stderr).toMatch(/^Error: 002_bad\.sql:5:14: .*no_such_column.* \(SQLSTATE 42703\)$/m);
    expect(pushed.stderr).toContain('  5 |   values (2, no_such_column);\n');
    expect(pushed.stderr).toContain('Nothing of 002_bad.sql was applied.');
    expect(pushed.exitCode).toBe(1);
    expect(await ledger(project)).toEqual(['001_good.sql']);
    const tables = await psql(project.uri, `select relname from pg_class where relname in ('good', 'half', 'later', 'never') order by 1`);
    expect(tables).toBe('good\n');
  });

  it('stops before anything runs when an applied migration was edited', async () => {
    place('broken-v1', { '001_good.sql': 'create table good (id bigint);\n', '002_bad.sql': 'create table half (id int);\n' });
    const pushed = await flux.flux('push', './broken-v1', ...shop.flags);

    expectConflict(pushed);
    expect(await ledger(shop)).toEqual(['001_good.sql']);
    function expectConflict(ended: Ended): void {
      expect(ended.stderr).toMatch(
        /^Error: A migration was edited after being applied\. Nothing was run\.\n001_good\.sql: applied with checksum [0-9a-f]{64}, now [0-9a-f]{64}$/m,
      );
      expect(ended.stderr).toContain('Restore 001_good.sql as it was, and put the change into a new migration.');
      expect(ended.exitCode).toBe(1);
    }
  });

  it.each([
    ['a file that is not there', 'nowhere.sql', 1, /^Error: There is no file or folder .*nowhere\.sql\./m],
    ['a file that is a dump', 'dump.sql', 1, /^Error: .*dump\.sql (is not UTF-8 text|holds a zero byte)/m],
    ['an empty file', 'empty.sql', 1, /^Error: .*empty\.sql is empty\./m],
    ['a folder without SQL', 'nothing', 2, /^Error: There are no \.sql files in .*nothing\./m],
    ['a COMMIT of its own', 'commit.sql', 1, /^Error: commit\.sql:2/m],
    ['a command of psql', 'psql.sql', 1, /^Error: psql\.sql:1/m],
  ])('refuses %s', async (_what, name, exitCode, said) => {
    place('files', {
      'dump.sql': Buffer.from('PGDMP\u0000\u0001'),
      'empty.sql': '\n',
      'commit.sql': 'select 1;\ncommit;\n',
      'psql.sql': '\\i other.sql\n',
    });
    place('files/nothing', { 'readme.txt': 'no SQL' });
    const pushed = await flux.flux('push', `./files/${name}`, ...shop.flags);
    expect(pushed.stderr).toMatch(said);
    expect(pushed.exitCode).toBe(exitCode);
    expect(await ledger(shop)).toEqual(['001_good.sql']);
  });

  it('refuses a file that it may not read', async () => {
    const path = join(flux.folder, 'secret.sql');
    writeFileSync(path, 'select 1;', { mode: 0o000 });
    const line = `flux push ./secret.sql ${shop.flags.join(' ')}`;
    const pushed = await (isRoot ? flux.shell(`setpriv --reuid=65534 --regid=65534 --clear-groups ${line}`) : flux.shell(line));
    expectError(pushed, 1, `${path} cannot be read (EACCES).`, 'Check its permissions.');
  });
});

describe('backups', () => {
  it.each([
    ['show', '--id', 'nine'],
    ['verify', '--id', '01890000-0000-7000-8000'],
    ['download', '--id', '../../etc/passwd', '-o', './x.dump'],
  ])('refuses an id that is none: backup %s', async (...words) => {
    expectError(await flux.flux('backup', ...words, ...shop.flags), 2, 'is not the id of a backup.', 'flux backup list');
  });

  it('says so when there is no such backup, and how to make one', async () => {
    const id = '01890000-0000-7000-8000-000000000000';
    expectError(await flux.flux('backup', 'verify', '--id', id, ...shop.flags), 4, `shop has no backup ${id}.`, 'flux backup list');
    for (const words of [['verify'], ['download', '-o', './x.dump'], ['show']]) {
      expectError(await flux.flux('backup', ...words, '--latest', ...shop.flags), 4, 'shop has no backup yet.', 'flux backup create');
    }
    expectError(await flux.flux('backup', 'verify', ...shop.flags), 2, '--latest or --id <backupId>');
    expectError(await flux.flux('backup', 'verify', '--latest', '--id', id, ...shop.flags), 2, 'Both --latest and --id are given.');
    const listed = await flux.flux('backup', 'list', ...shop.flags);
    expect(listed.stdout).toBe(
      'Latest backup:            none\nVerification:             No backup yet\nSafe destructive actions: Blocked until verification\n',
    );
  });

  it('refuses the second of two creates of one project', async () => {
    await flux.push(shop, 'create table bulk as select i, md5(i::text) as m from generate_series(1, 200000) i');
    const both = await Promise.all([flux.flux('backup', 'create', ...shop.flags), flux.flux('backup', 'create', ...shop.flags)]);
    expect(both.map(({ exitCode }) => exitCode).sort()).toEqual([0, 8]);
    const refused = both.find(({ exitCode }) => exitCode === 8) as Ended;
    expectError(refused, 8, /^Error: A backup create \([0-9a-f-]{36}\) of this project is already running/m);
  });

  it('refuses to write binary to a terminal, with the two ways that work', async () => {
    const shown = await onTerminal(`flux backup download --latest ${shop.flags.join(' ')}`);
    expect(shown.stdout).toContain('A backup is binary and would garble the terminal. Nothing was downloaded.');
    expect(shown.stdout).toMatch(/Use -o <path>, or redirect: flux backup download --latest > \.\/backup\.dump/);
    expect(shown.stdout).not.toContain('PGDMP');
    expect(shown.exitCode).toBe(2);
  });

  it('refuses -o into a folder that is not there, before anything is sent', async () => {
    const port = await freePort();
    const refused = await flux.fluxWith(
      { env: { FLUX_API_BASE: `http://127.0.0.1:${port}` } },
      ...['backup', 'download', '--latest', '-o', './no/such/x.dump', ...shop.flags],
    );
    expectError(refused, 1, `There is no folder ${join(flux.folder, 'no/such')}, so x.dump cannot be written there.`, 'mkdir -p');
  });
});

describe('create', () => {
  it('refuses a name that is taken', async () => {
    for (const mode of ['v1_dedicated', 'v2_shared']) {
      expectError(await flux.flux('create', 'shop', '--mode', mode), 1, 'Another project has the name shop.', 'flux list');
    }
  });

  it.each(['Shop', 'shop_1', 'shop-', '1shop', 'a'.repeat(41), ''])('refuses the name "%s"', async (name) => {
    expectError(await flux.flux('create', name), 2, 'cannot be the name of a project');
  });

  it.each([
    [['--mode', 'v3'], 2, 'v1_dedicated'],
    [['--attach', 'mysql://x'], 2, 'does not begin with postgresql://'],
    [['--nonsense'], 2, "Unknown option '--nonsense'."],
  ] as const)('refuses the options %j', async (options, exitCode, said) => {
    expectError(await flux.flux('create', 'fine', ...options), exitCode, said);
  });

  it('refuses to attach what does not answer, without the password in the message, and makes no project', async () => {
    const port = await freePort();
    const refused = await flux.fluxWith(
      { env: { FLUX_ATTACH_URI: `postgresql://me:very-secret@127.0.0.1:${port}/db` } },
      'create',
      'far',
      '--attach',
    );
    expectError(refused, 1, `127.0.0.1:${port}`);
    expect(refused.stderr + flux.log()).not.toContain('very-secret');
    expect((await flux.flux('list')).stdout).not.toContain('far ');
  });
});
