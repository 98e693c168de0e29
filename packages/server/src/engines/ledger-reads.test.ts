import type { ProjectId, UserId } from '@flux/contract/ids';
import { expect, it } from 'vitest';
import { LedgerReads } from './ledger-reads.ts';

const projectOf = (id: string, ownerId = 'owner') => ({ id: id as ProjectId, ownerId: ownerId as UserId });
const never = new AbortController().signal;
const soon = () => new Promise((resolve) => setTimeout(resolve, 5));

/** Readings that end when the test says so. */
function controlled(reads: LedgerReads) {
  const running: (() => void)[] = [];
  const begin = (project: ReturnType<typeof projectOf>, signal = never) =>
    reads.run(project, signal, () => new Promise<void>((resolve) => running.push(resolve)));
  return { running, begin };
}

it('lets two readings of a project and four of an owner run, and others wait for them', async () => {
  const reads = new LedgerReads();
  const { running, begin } = controlled(reads);
  const all = ['one', 'one', 'one', 'two', 'two', 'three'].map((id) => begin(projectOf(id)));
  all.push(begin(projectOf('four', 'another')));
  await soon();
  expect(running).toHaveLength(5);
  for (let at = 0; at < all.length; at++) {
    running[at]?.();
    await soon();
  }
  await Promise.all(all);
  expect(running).toHaveLength(7);
  expect(reads.size).toBe(0);
});

it('refuses one that has waited for too long, or behind too many, and frees the place of one that failed', async () => {
  const reads = new LedgerReads(50);
  const { running, begin } = controlled(reads);
  const first = [begin(projectOf('one')), begin(projectOf('one'))];
  const waiting = Array.from({ length: 25 }, () => begin(projectOf('one')));
  const refused = { code: 'rate_limited', details: { retryAfterSeconds: 5 } };
  for (const outcome of await Promise.allSettled(waiting)) expect(outcome).toMatchObject({ status: 'rejected', reason: refused });
  for (const end of running) end();
  await Promise.all(first);
  const fail = () => Promise.reject(new Error('the server has gone'));
  for (let at = 0; at < 5; at++) await expect(reads.run(projectOf('one'), never, fail)).rejects.toThrow('has gone');
  expect(reads.size).toBe(0);
});

it('lets a client that goes away leave the queue', async () => {
  const reads = new LedgerReads();
  const { running, begin } = controlled(reads);
  const first = [begin(projectOf('one')), begin(projectOf('one'))];
  const gone = new AbortController();
  const left = begin(projectOf('one'), gone.signal);
  gone.abort(new Error('the client has gone'));
  await expect(left).rejects.toThrow('the client has gone');
  for (const end of running) end();
  await Promise.all(first);
  expect([running.length, reads.size]).toEqual([2, 0]);
});
