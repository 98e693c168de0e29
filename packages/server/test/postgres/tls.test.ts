import { execFileSync } from 'node:child_process';
import { chownSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeSelfSigned, openssl } from '../../../../acceptance/harness/certificates.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { libpqEnvironment, type PostgresTarget } from '../../src/postgres/target.ts';
import type { ChannelBinding, SslMode } from '../../src/postgres/tls.ts';
import { runProcess } from '../../src/system/process.ts';
import { openTestRuntime, type TestRuntime } from '../engines/runtime.ts';

let place: TestRuntime;
let server: PostgresTarget;
let hba: { readonly path: string; readonly text: string };

const admin = () => place.runtime.superuser('tls');
const ca = (name: 'ours' | 'theirs') => join(place.folder, `${name}.pem`);

beforeAll(async () => {
  place = await openTestRuntime();
  await place.runtime.create({ id: 'tls', major: place.major, network: 'loopback' });
  const { port } = await place.runtime.status('tls');
  server = { host: 'localhost', port: port ?? 0, user: 'shop', password: 'secret', database: 'shop' };
  await using session = await connectPostgres(admin());
  await session.run(`create role shop login password 'secret'`);
  await session.run('create database shop owner shop');
  await using inShop = await connectPostgres(place.runtime.superuser('tls', 'shop'));
  await inShop.run('create table public.t (id int); alter table public.t owner to shop');

  const [files] = await session.query<{ data: string; hba: string }>(
    `select current_setting('data_directory') as data, current_setting('hba_file') as hba`,
  );
  if (files === undefined) throw new Error('no settings');
  hba = { path: files.hba, text: readFileSync(files.hba, 'utf8') };
  makeCertificates(files.data);
  await session.run(`alter system set ssl_cert_file = 'tls.pem'`);
  await session.run(`alter system set ssl_key_file = 'tls.key'`);
}, 60_000);

afterAll(() => place?.close());

/** Two authorities, and a certificate of the first for `localhost`. */
function makeCertificates(dataFolder: string): void {
  for (const name of ['ours', 'theirs']) makeSelfSigned(place.folder, name);
  const request = ['-keyout', 'server.key', '-out', 'server.csr'];
  openssl(place.folder, 'req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', ...request);
  writeFileSync(join(place.folder, 'names'), 'subjectAltName=DNS:localhost');
  const authority = ['-CA', 'ours.pem', '-CAkey', 'ours.key', '-CAcreateserial'];
  openssl(place.folder, 'x509', '-req', '-in', 'server.csr', ...authority, '-days', '2', '-extfile', 'names', '-out', 'server.pem');
  for (const [from, to] of [
    ['server.pem', 'tls.pem'],
    ['server.key', 'tls.key'],
  ] as const) {
    const path = join(dataFolder, to);
    writeFileSync(path, readFileSync(join(place.folder, from)), { mode: 0o600 });
    if (process.getuid?.() === 0) chownSync(path, ...ownerOf(dataFolder));
  }
}

function ownerOf(path: string): [uid: number, gid: number] {
  const [uid = '0', gid = '0'] = execFileSync('stat', ['-c', '%u %g', path], { encoding: 'utf8' }).trim().split(' ');
  return [Number(uid), Number(gid)];
}

/** Switches TLS, and says which kind of session pg_hba.conf lets in: `host` both, `hostssl` or `hostnossl` one. */
async function setServer(ssl: 'on' | 'off', kind: 'host' | 'hostssl' | 'hostnossl'): Promise<void> {
  writeFileSync(hba.path, hba.text.replaceAll(/^host\b/gm, kind));
  await using session = await connectPostgres(admin());
  await session.run(`alter system set ssl = ${ssl}`);
  await session.run('select pg_reload_conf()');
  for (let attempt = 0; ; attempt++) {
    const [now] = await session.query<{ ssl: string }>(`select current_setting('ssl') as ssl`);
    if (now?.ssl === ssl) break;
    if (attempt > 200) throw new Error('the server did not reload its settings');
    await delay(25);
  }
  // The postmaster reads its files at its own time, and a new session is what it has read by then.
  await delay(200);
}

type Seen = 'tls' | 'plain' | 'refused';

/** How a session of ours reaches the server, as the server sees it. */
async function ours(target: PostgresTarget): Promise<Seen> {
  try {
    await using session = await connectPostgres(target);
    const [row] = await session.query<{ ssl: boolean }>('select ssl from pg_catalog.pg_stat_ssl where pid = pg_catalog.pg_backend_pid()');
    return row?.ssl ? 'tls' : 'plain';
  } catch (error) {
    expect(error).toMatchObject({ code: 'instance_unavailable' });
    return 'refused';
  }
}

/** How pg_dump reaches it. A lock makes it wait at a table, so that it can be seen. */
async function dumps(target: PostgresTarget): Promise<Seen> {
  await using lock = await connectPostgres(place.runtime.superuser('tls', 'shop'));
  await lock.run('begin; lock table public.t in access exclusive mode');
  const { pgDump = '' } = place.toolbox.require(place.major, 'client');
  const ended = runProcess(pgDump, ['--schema-only'], { env: { ...libpqEnvironment(target), PGAPPNAME: 'dumps' } });
  let isOver = false;
  const over = ended.then((result) => {
    isOver = true;
    return result;
  });
  let seen: Seen = 'refused';
  while (!isOver) {
    const [row] = await lock.query<{ ssl: boolean }>(
      `select s.ssl from pg_catalog.pg_stat_ssl s join pg_catalog.pg_stat_activity a using (pid)
       where a.application_name = 'dumps' and a.wait_event_type = 'Lock'`,
    );
    await lock.query('select pg_catalog.pg_stat_clear_snapshot()');
    if (row !== undefined) {
      seen = row.ssl ? 'tls' : 'plain';
      break;
    }
    await delay(20);
  }
  await lock.run('rollback');
  const { exitCode, stderr } = await over;
  expect({ seen, ok: exitCode === 0, stderr }).toMatchObject({ seen, ok: seen !== 'refused' });
  return seen;
}

interface Way {
  readonly sslMode?: SslMode;
  readonly ca?: 'ours' | 'theirs';
  readonly host?: string;
  readonly channelBinding?: ChannelBinding;
}

const targetOf = ({ sslMode, ca: name, host, channelBinding }: Way): PostgresTarget => ({
  ...server,
  channelBinding,
  ...(host === undefined ? {} : { host }),
  sslMode,
  ...(name === undefined ? {} : { sslRootCert: ca(name) }),
});

const CASES: readonly [ssl: 'on' | 'off', kind: 'host' | 'hostssl' | 'hostnossl', ways: readonly (readonly [Way, Seen])[]][] = [
  [
    'on',
    'host',
    [
      [{}, 'tls'],
      [{ sslMode: 'prefer' }, 'tls'],
      [{ sslMode: 'allow' }, 'plain'],
      [{ sslMode: 'disable' }, 'plain'],
      [{ sslMode: 'require' }, 'tls'],
      [{ sslMode: 'verify-ca', ca: 'ours' }, 'tls'],
      [{ sslMode: 'verify-full', ca: 'ours' }, 'tls'],
      [{ sslMode: 'require', channelBinding: 'require' }, 'tls'],
      [{ channelBinding: 'require' }, 'tls'],
      [{ channelBinding: 'disable' }, 'tls'],
      // The certificate is for localhost: only verify-full minds.
      [{ sslMode: 'verify-ca', ca: 'ours', host: '127.0.0.1' }, 'tls'],
      [{ sslMode: 'verify-full', ca: 'ours', host: '127.0.0.1' }, 'refused'],
      [{ sslMode: 'verify-ca', ca: 'theirs' }, 'refused'],
      [{ sslMode: 'verify-full', ca: 'theirs' }, 'refused'],
      [{ sslMode: 'require', ca: 'theirs' }, 'refused'],
    ],
  ],
  [
    'on',
    'hostssl',
    [
      [{}, 'tls'],
      [{ sslMode: 'allow' }, 'tls'],
      [{ sslMode: 'disable' }, 'refused'],
    ],
  ],
  [
    'on',
    'hostnossl',
    [
      [{}, 'plain'],
      [{ sslMode: 'require' }, 'refused'],
    ],
  ],
  [
    'off',
    'host',
    [
      [{}, 'plain'],
      [{ sslMode: 'allow' }, 'plain'],
      [{ sslMode: 'require' }, 'refused'],
      [{ sslMode: 'verify-ca', ca: 'ours' }, 'refused'],
      [{ channelBinding: 'require' }, 'refused'],
    ],
  ],
];

describe.each(CASES)('a server with ssl = %s that lets in %s', (ssl, kind, ways) => {
  beforeAll(() => setServer(ssl, kind), 30_000);

  it.each(ways)('is reached by %o as %s, by our sessions and by pg_dump', async (way, expected) => {
    expect({ ours: await ours(targetOf(way)), dumps: await dumps(targetOf(way)) }).toEqual({ ours: expected, dumps: expected });
  });
});

it('says what the server refused, whichever of the two ways was tried last', async () => {
  await setServer('on', 'hostssl');
  await expect(connectPostgres({ ...server, password: 'wrong' })).rejects.toMatchObject({ details: { sqlState: '28P01' } });
  await setServer('on', 'hostnossl');
  await expect(connectPostgres({ ...server, password: 'wrong' })).rejects.toMatchObject({ details: { sqlState: '28P01' } });
});
