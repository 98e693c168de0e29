import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TokenId } from '@flux/contract/ids';
import { QuotaLimits } from '@flux/contract/quota';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { MeasureAttempts, QuotaDeps } from '../../src/backups/quota.ts';
import { forgetIdempotencyKeys, takeIdempotencyKey } from '../../src/catalog/idempotency.ts';
import { findProjectById, type ProjectRow } from '../../src/catalog/projects.ts';
import { ensureUser, insertToken } from '../../src/catalog/tokens.ts';
import { EngineDirectory, type EngineSet } from '../../src/engines/directory.ts';
import { emptyTrash } from '../../src/instances/trash.ts';
import { openExpiryClock } from '../../src/system/expiry-clock.ts';
import { createSeal } from '../../src/system/seal.ts';
import { Troubles } from '../../src/system/troubles.ts';
import { doMinuteWork, tidy } from '../../src/worker/tidy.ts';
import { type BackupPlace, openBackupPlace } from '../backups/place.ts';

const NEVER = new AbortController().signal;
let place: BackupPlace;
let lines: string[];
let log: QuotaDeps['log'];
beforeAll(async () => {
  place = await openBackupPlace();
});
afterAll(() => place?.[Symbol.asyncDispose]());
beforeEach(() => {
  lines = [];
  log = pino({ level: 'info', base: null }, { write: (line) => void lines.push(JSON.parse(line).msg) });
});

/** A clock that can be set, and engines of which only the pooled one can measure. */
async function minute() {
  const folder = mkdtempSync(join(tmpdir(), 'flux-tidy-'));
  let at = new Date();
  const clock = { now: () => at };
  const engines = new EngineDirectory(
    {
      v1_dedicated: { measureBytes: () => Promise.reject(new Error('it is stopped')) },
      v2_shared: { measureBytes: async () => 4096 },
    } as unknown as EngineSet,
    createSeal(randomBytes(32)),
  );
  const limits = QuotaLimits.parse({ operationsPerDay: 100, backups: 100, diskBytes: 2 ** 40 });
  const deps = { ...place.deps, clock, log, engines, quotas: limits, expiryClock: await openExpiryClock(join(folder, 'time'), clock) };
  const attempts: MeasureAttempts = new Map();
  return {
    engines,
    run: () => doMinuteWork(deps, attempts, NEVER),
    pass: (ms: number) => {
      at = new Date(at.getTime() + ms);
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
const measured = async ({ id }: ProjectRow) => (await findProjectById(place.catalog.db, id))?.measured_bytes;
async function poolProject(engines: EngineDirectory): Promise<ProjectRow> {
  const project = await place.newProject();
  const sealed = engines.sealSecrets({ loginPassword: 'a', ownerPassword: 'b', backupPassword: 'c', jwtSecret: 'd' });
  const change = { engine: 'v2_shared', sealed_secrets: sealed } as const;
  await place.catalog.db.updateTable('projects').set(change).where('id', '=', project.id).execute();
  return project;
}

it('forgets Idempotency-Keys after a day, and measures projects, each minute', async () => {
  using work = await minute();
  const project = await poolProject(work.engines);
  const id = randomUUID() as TokenId;
  const user = await ensureUser(place.catalog.db, randomUUID() as never, 'keys');
  await insertToken(place.catalog.db, { id, user_id: user, name: 'k', sha256: 'a'.repeat(64), access: 'read', all_projects: true }, []);
  for (const [key, hours] of [
    ['old', 25],
    ['recent', 23],
  ] as const) {
    const row = { token_id: id, key, request_sha256: 'b'.repeat(64), created_at: new Date(Date.now() - hours * 3_600_000) };
    await place.catalog.db
      .insertInto('idempotency_keys')
      .values({ ...row, status: null, sealed_body: null, location: null })
      .execute();
  }
  await work.run();
  expect(await place.catalog.db.selectFrom('idempotency_keys').select('key').execute()).toEqual([{ key: 'recent' }]);
  expect(await measured(project)).toBe(4096);
  expect(lines).toEqual([]);
});

it('forgets a key no earlier that was taken while the clock was behind', async () => {
  const { db } = place.catalog;
  const id = randomUUID() as TokenId;
  const user = await ensureUser(db, randomUUID() as never, 'behind');
  await insertToken(db, { id, user_id: user, name: 'b', sha256: 'c'.repeat(64), access: 'read', all_projects: true }, []);
  // By the clock of the catalog it is a month earlier.
  const latest = Date.now() + 30 * 86_400_000;
  await takeIdempotencyKey(db, id, 'behind', 'd'.repeat(64), new Date(latest));
  const keys = () => db.selectFrom('idempotency_keys').select('key').where('token_id', '=', id).execute();
  await forgetIdempotencyKeys(db, new Date(latest + 86_400_000));
  expect(await keys()).toEqual([{ key: 'behind' }]);
  await forgetIdempotencyKeys(db, new Date(latest + 86_400_001));
  expect(await keys()).toEqual([]);
});

it('measures although keys cannot be forgotten, and says that they cannot', async () => {
  using work = await minute();
  const project = await poolProject(work.engines);
  await place.catalog.executeSql('alter table idempotency_keys rename to keys_elsewhere');
  try {
    await work.run();
  } finally {
    await place.catalog.executeSql('alter table keys_elsewhere rename to idempotency_keys');
  }
  expect(await measured(project)).toBe(4096);
  expect(lines).toEqual(['forgetting old Idempotency-Keys failed']);
});

it('comes to every project, however many cannot be measured or have secrets that cannot be read', async () => {
  using work = await minute();
  // Their secrets are not sealed at all.
  for (let i = 0; i < 30; i++) await place.newProject();
  const stopped = await Promise.all(Array.from({ length: 30 }, () => poolProject(work.engines)));
  const ids = stopped.map(({ id }) => id);
  await place.catalog.db.updateTable('projects').set({ engine: 'v1_dedicated' }).where('id', 'in', ids).execute();
  const project = await poolProject(work.engines);
  for (let i = 0; i < 4; i++) {
    await work.run();
    work.pass(60_000);
  }
  expect(await measured(project)).toBe(4096);
  expect(lines).toEqual([]);
  // It is measured again when half an hour has passed, with those that never could be before and behind it.
  await place.catalog.db.updateTable('projects').set({ measured_bytes: 1 }).where('id', '=', project.id).execute();
  work.pass(31 * 60_000);
  for (let i = 0; i < 4; i++) {
    await work.run();
    work.pass(60_000);
  }
  expect(await measured(project)).toBe(4096);
});

it('empties the trash although the time cannot be remembered, and but for what cannot be deleted', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'flux-tidy-'));
  try {
    for (const name of ['a', 'b', 'c'])
      mkdirSync(join(folder, 'trash', `2026-01-0${name === 'a' ? 1 : 2}T00-00-00.000Z-${name}`), { recursive: true });
    const problems: string[] = [];
    const forget = async (path: string) => {
      if (path.endsWith('-a')) throw new Error('its containers are not known');
    };
    const runtime = {
      emptyTrash: (olderThanMs: number, now: Date, tell: (name: string, error: unknown) => void) => {
        const onProblem = (name: string, error: unknown) => {
          problems.push(name);
          tell(name, error);
        };
        return emptyTrash(join(folder, 'instances'), { olderThanMs, now, forget, onProblem });
      },
    };
    // A folder that does not exist: nothing can be written there, as on a full disk.
    const expiryClock = await openExpiryClock(join(folder, 'gone', 'time'), { now: () => new Date('2026-02-01') });
    const troubles = new Troubles(log);
    const engines = {
      emptyTrash: async (_olderThanMs: number, _now: Date, onProblem: (name: string, error: unknown) => void) => {
        onProblem('trash_a', new Error('a role has rights elsewhere'));
        return ['trash_b'];
      },
    };
    await tidy({ engines, runtime, expiryClock, trashKeepMs: 1000, troubles, log });
    expect(readdirSync(join(folder, 'trash'))).toEqual(['2026-01-01T00-00-00.000Z-a']);
    expect(problems).toEqual(['2026-01-01T00-00-00.000Z-a']);
    expect(existsSync(join(folder, 'gone'))).toBe(false);
    expect(troubles.list()).toEqual([
      { what: 'emptying the trash', why: 'trash/2026-01-01T00-00-00.000Z-a: its containers are not known' },
      { what: 'emptying the trash of the pool', why: 'the schemas and roles trash_a…: a role has rights elsewhere' },
      { what: 'remembering the time', why: expect.stringContaining('ENOENT') },
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
