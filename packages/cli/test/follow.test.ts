import type { FluxClient } from '@flux/contract/client';
import { FluxError } from '@flux/contract/errors';
import { followOperation } from '@flux/contract/follow';
import type { OperationAnswer } from '@flux/contract/operation';
import { expect, it } from 'vitest';

const STARTED = { id: 'o', state: 'running', progress: null } as OperationAnswer;

/** A control plane of which only operations are asked. */
function client(call: () => Promise<unknown>): FluxClient {
  const broken = (): Promise<never> => Promise.reject(new FluxError('unreachable', 'gone'));
  return {
    base: 'http://x/api',
    call: call as FluxClient['call'],
    start: broken,
    download: broken,
    // biome-ignore lint/correctness/useYield: a stream that breaks before its first event
    async *events() {
      throw new FluxError('lost_contact', 'broken');
    },
  };
}

const follow = (plane: FluxClient, timeoutMs: number, onContactLost?: (isLost: boolean) => void) =>
  followOperation(plane, STARTED, {
    onProgress: () => {},
    ...(onContactLost === undefined ? {} : { onContactLost }),
    delay: () => new Promise((resolve) => setTimeout(resolve, 5)),
    timeoutMs,
  });

it('gives up with lost_contact when nothing answers within the timeout', async () => {
  const plane = client(() => Promise.reject(new FluxError('unreachable', 'gone')));

  await expect(follow(plane, 40)).rejects.toMatchObject({ code: 'lost_contact', exitCode: 9 });
});

it('reports that contact is lost and then restored, and keeps following', async () => {
  let asked = 0;
  const told: boolean[] = [];
  const plane = client(() => {
    asked += 1;
    if (asked < 3) return Promise.reject(new FluxError('unreachable', 'starting again'));
    return Promise.resolve({ ...STARTED, state: asked < 5 ? 'running' : 'succeeded' });
  });

  expect(await follow(plane, 60_000, (isLost) => told.push(isLost))).toMatchObject({ state: 'succeeded' });
  expect(told.slice(0, 2)).toEqual([true, false]);
});

it('passes on an error that a retry cannot fix at once', async () => {
  const plane = client(() => Promise.reject(new FluxError('not_authenticated', 'revoked')));

  await expect(follow(plane, 60_000)).rejects.toMatchObject({ code: 'not_authenticated' });
});
