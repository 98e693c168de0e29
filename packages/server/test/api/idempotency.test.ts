import { randomBytes, randomUUID } from 'node:crypto';
import { FluxError } from '@flux/contract/errors';
import type { TokenId, UserId } from '@flux/contract/ids';
import type { Route } from '@flux/contract/route';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Answer, Call } from '../../src/api/call.ts';
import type { RouterDeps } from '../../src/api/deps.ts';
import { createIdempotency } from '../../src/api/idempotency.ts';
import type { Catalog, Database } from '../../src/catalog/open.ts';
import { ensureUser } from '../../src/catalog/tokens.ts';
import { systemClock } from '../../src/system/clock.ts';
import { createSeal } from '../../src/system/seal.ts';
import { openTestCatalog, type TestCatalog } from '../catalog/open-catalog.ts';
import { quietLog } from '../engines/project.ts';

const DONE: Answer = { status: 200, body: { done: true } };
const TOKEN = randomUUID() as TokenId;

let place: TestCatalog;
let catalog: Catalog;
beforeAll(async () => {
  place = await openTestCatalog();
  catalog = place.catalog;
  const owner = await ensureUser(catalog.db, randomUUID() as UserId, 'somebody');
  const digest = '0'.repeat(64);
  await catalog.executeSql(`insert into tokens (id, user_id, name, sha256, access, all_projects) values ($1, $2, 'a', $3, 'admin', true)`, [
    TOKEN,
    owner,
    digest,
  ]);
});
afterAll(() => place?.[Symbol.asyncDispose]());

/** What the catalog does with answers. */
let recording: 'works' | 'unavailable' = 'works';
let stopping: AbortController;
let ran: number;
beforeEach(() => {
  recording = 'works';
  stopping = new AbortController();
  ran = 0;
});

/** A server whose catalog may not take an answer, while it takes everything else. */
const startServer = (keepEveryMs?: number) => {
  const db = new Proxy(catalog.db, {
    get: (target, name) => {
      if (name === 'updateTable' && recording === 'unavailable') throw new FluxError('catalog_unavailable', 'It is away.');
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  }) as Database;
  const clock = { ...systemClock, latest: () => new Date() };
  const deps = { catalog: { ...catalog, db }, clock, log: quietLog, seal: createSeal(randomBytes(32)), stopping: stopping.signal };
  const answerOnce = createIdempotency(deps as unknown as RouterDeps, keepEveryMs);
  const post = (key: string, run: () => Promise<Answer> = async () => DONE) => {
    const request = { method: 'POST', url: '/api/v1/projects', headers: { 'idempotency-key': key } };
    const call = { request, body: { slug: 'shop' }, principal: { token: { id: TOKEN } } } as unknown as Call<Route>;
    return answerOnce(call, async () => {
      ran += 1;
      return run();
    });
  };
  return post;
};
const age = (key: string) =>
  catalog.executeSql(`update idempotency_keys set created_at = now() - interval '11 minutes' where key = $1`, [key]);
const isFresh = async (key: string) =>
  (await catalog.executeSql(`select from idempotency_keys where key = $1 and created_at > now() - interval '1 minute'`, [key])).rows
    .length > 0;

it('does not run again what is done and could not be recorded, however long the catalog was away', async () => {
  const post = startServer();
  recording = 'unavailable';
  expect(await post('unrecorded')).toEqual(DONE);
  await age('unrecorded');
  await expect(post('unrecorded')).rejects.toMatchObject({ code: 'busy' });
  recording = 'works';
  await expect.poll(() => post('unrecorded').catch(({ code }) => code), { timeout: 10_000 }).toEqual(DONE);
  expect(ran).toBe(1);
});

it('keeps its key from other servers until the answer is recorded', async () => {
  const [post, postToOther] = [startServer(20), startServer(20)];
  recording = 'unavailable';
  expect(await post('kept')).toEqual(DONE);
  await age('kept');
  await expect.poll(() => isFresh('kept'), { timeout: 5000 }).toBe(true);
  await expect(postToOther('kept')).rejects.toMatchObject({ code: 'busy' });
  recording = 'works';
  const isRecorded = async () =>
    (await catalog.executeSql(`select from idempotency_keys where key = 'kept' and status is not null`)).rows.length > 0;
  await expect.poll(isRecorded, { timeout: 10_000 }).toBe(true);
  expect(ran).toBe(1);
});

it('frees the key of what failed, and of what a stop has kept from being recorded', async () => {
  const post = startServer();
  const failing = post('failed', () => Promise.reject(new FluxError('busy', 'Somebody else is at it.')));
  await expect(failing).rejects.toThrow('Somebody else is at it.');
  expect(await post('failed')).toEqual(DONE);
  expect(ran).toBe(2);

  recording = 'unavailable';
  await post('stopped');
  stopping.abort();
  await age('stopped');
  await expect.poll(() => post('stopped').catch(({ code }) => code), { timeout: 5000 }).toEqual(DONE);
  expect(ran).toBe(4);
});
