import type { OperationId, ProjectId } from '@flux/contract/ids';
import type { OperationKind } from '@flux/contract/operation-kind';
import { expect, it } from 'vitest';
import { LaneSlots } from './lanes.ts';

const QUICK_MS = 40;
/** What has a medium slot keeps it in these tests. */
const LIMITS = { quick: QUICK_MS, medium: 10_000 };

/** A lane whose operations run until they are ended, in the order in which they were queued. */
function lane(slots: number, mayBeSetAside = true) {
  const queues = { quick: [] as string[], medium: [] as string[], long: [] as string[] };
  const running = new Map<string, () => void>();
  const aside: string[] = [];
  const projectOf = (id: string) => id.replace(/-.*/, '');
  const lanes: LaneSlots = new LaneSlots(slots, LIMITS, {
    next: async (pace) => {
      const id = queues[pace].find((one) => pace === 'quick' || ![...running.keys()].some((other) => projectOf(other) === projectOf(one)));
      return id === undefined
        ? undefined
        : { id: id as OperationId, kind: 'backup_verify' as OperationKind, projectId: projectOf(id) as ProjectId };
    },
    run: async ({ id }, setAside, claimed) => {
      for (const queue of Object.values(queues)) if (queue.includes(id)) queue.splice(queue.indexOf(id), 1);
      await new Promise<void>((end) => {
        running.set(id, end);
        claimed();
        setAside.addEventListener('abort', () => {
          aside.push(`${id} ${setAside.reason}`);
          queues[setAside.reason as 'medium' | 'long'].push(id);
          end();
        });
      });
      running.delete(id);
    },
    mayBeSetAside: () => mayBeSetAside,
    onChange: () => undefined,
  });
  return {
    queues,
    aside,
    fill: () => lanes.fill(() => false),
    running: () => [...running.keys()].sort(),
    end: async (id: string) => {
      running.get(id)?.();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
const overdue = () => new Promise((resolve) => setTimeout(resolve, QUICK_MS + 5));

it('gives as many quick slots as there are, and moves what takes longer to slower ones, the slowest first', async () => {
  const { queues, fill, running, aside } = lane(1);
  queues.quick.push('a', 'b', 'c', 'd');
  await fill();
  expect(running()).toEqual(['a']);
  await overdue();
  await fill();
  expect(running()).toEqual(['a', 'b']);
  // Of the slower slots it is the long one that is taken, so that the medium one is free for who needs it.
  queues.medium.push('m');
  await fill();
  expect(running()).toEqual(['a', 'b', 'm']);
  expect(aside).toEqual([]);
});

it('sets aside what has had its time when another one waits and no slower slot is free', async () => {
  const { queues, fill, running, aside, end } = lane(1);
  queues.quick.push('a', 'b', 'c', 'd');
  for (let round = 0; round < 3; round++) {
    await fill();
    await overdue();
  }
  expect(running()).toEqual(['a', 'b', 'c']);
  await fill();
  expect(aside).toEqual(['c medium']);
  expect(running()).toEqual(['a', 'b', 'd']);
  await end('b');
  await fill();
  expect(running()).toEqual(['a', 'c', 'd']);
});

it('sets nothing aside while nobody waits, nor what cannot be queued again', async () => {
  for (const [mayBeSetAside, queued] of [
    [true, ['a', 'b', 'c']],
    [false, ['a', 'b', 'c', 'd']],
  ] as const) {
    const { queues, fill, running, aside } = lane(1, mayBeSetAside);
    queues.quick.push(...queued);
    for (let round = 0; round < 4; round++) {
      await fill();
      await overdue();
    }
    await fill();
    expect(running()).toEqual(['a', 'b', 'c']);
    expect(aside).toEqual([]);
  }
});

it('gives a project one slower slot, whatever it has queued', async () => {
  const { queues, fill, running, aside } = lane(2);
  queues.quick.push('a-1', 'a-2');
  await fill();
  await overdue();
  queues.quick.push('b');
  await fill();
  expect(running()).toEqual(['a-1', 'a-2', 'b']);
  queues.quick.push('c');
  await fill();
  expect(aside).toEqual(['a-2 medium']);
  expect(running()).toEqual(['a-1', 'b', 'c']);
});

it('ends a round when nothing could be claimed, instead of trying for ever', async () => {
  let asked = 0;
  const lanes = new LaneSlots(2, LIMITS, {
    next: async () => {
      asked += 1;
      return { id: 'a' as OperationId, kind: 'backup_create', projectId: 'a' as ProjectId };
    },
    run: async () => undefined,
    mayBeSetAside: () => true,
    onChange: () => undefined,
  });
  await lanes.fill(() => false);
  expect(asked).toBe(1);
  await lanes.settled();
});
