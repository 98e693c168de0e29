import { describe, expect, it } from 'vitest';
import { get, type Json, post, text, time, uuid, world } from './world.ts';

describe('long work', () => {
  interface Event {
    id: number;
    event: string;
    data: Json;
  }
  async function readEvents(id: string, lastEventId?: number): Promise<Event[]> {
    const answer = await world.flux.api(`/operations/${id}/events`, {
      headers: lastEventId === undefined ? {} : { 'last-event-id': String(lastEventId) },
    });
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    return (await answer.text())
      .split('\n\n')
      .filter((block) => block.startsWith('id:'))
      .map((block) => {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
        return { id: Number(field('id')), event: field('event'), data: JSON.parse(field('data')) as Json };
      });
  }

  it('answers 202 with the operation to those who prefer so, and tells its events, again from any of them', async () => {
    const started = await post(`/projects/${world.v1.hash}/backups`, { note: 'watched' }, { prefer: 'respond-async' });
    expect(started.status).toBe(202);
    const id = String(started.body.id);
    expect(started.headers.get('location')).toBe(`/api/cli/v1/operations/${id}`);
    expect(started.body).toMatchObject({
      id: uuid,
      kind: 'backup_create',
      state: expect.stringMatching(/^(queued|running)$/),
      projectHash: world.v1.hash,
    });

    const events = await readEvents(id);
    expect(events.map((event) => event.id)).toEqual(events.map((_, index) => index + 1));
    expect(events.at(-1)).toMatchObject({
      event: 'state',
      data: { operation: { state: 'succeeded', result: { backup: { note: 'watched', status: 'complete' } } } },
    });
    expect(events.length).toBeGreaterThan(2);
    const [first, ...later] = events;
    expect(first).toMatchObject({ event: 'progress', data: { progress: { phase: text, message: text } } });
    const again = await readEvents(id, first?.id);
    expect(again.map(({ id: seq, event }) => [seq, event])).toEqual(later.map(({ id: seq, event }) => [seq, event]));

    const operation = await get(`/operations/${id}`);
    expect(operation.body).toMatchObject({ state: 'succeeded', finishedAt: time, result: { backup: { status: 'complete' } } });
  });

  it('is cancelled on request, and leaves a failed row', async () => {
    const started = await post(`/projects/${world.v1.hash}/backups`, {}, { prefer: 'respond-async' });
    const cancelled = await post(`/operations/${started.body.id}/cancel`);
    expect(cancelled.status).toBe(200);
    const [last] = (await readEvents(String(started.body.id))).slice(-1);
    const { state } = (last?.data.operation ?? {}) as Json;
    const newest = ((await get(`/projects/${world.v1.hash}/backups?limit=1`)).body.backups as Json[])[0];
    // It may have been faster than the request.
    expect([state, newest?.status]).toEqual(state === 'succeeded' ? ['succeeded', 'complete'] : ['cancelled', 'failed']);
  });

  it('is done once for one Idempotency-Key', async () => {
    const base = `/projects/${world.v2.hash}/backups`;
    const count = async () => ((await get(base)).body.backups as Json[]).length;
    const before = await count();
    const first = await post(base, { note: 'once' }, { 'idempotency-key': 'one' });
    const second = await post(base, { note: 'once' }, { 'idempotency-key': 'one' });
    expect(second).toMatchObject({ status: 200, body: first.body });
    expect(await count()).toBe(before + 1);
    expect(await post(base, { note: 'else' }, { 'idempotency-key': 'one' })).toMatchObject({
      status: 400,
      body: { code: 'invalid_request' },
    });

    const asked = await post(base, {}, { 'idempotency-key': 'two', prefer: 'respond-async' });
    const again = await post(base, {}, { 'idempotency-key': 'two', prefer: 'respond-async' });
    expect(again.body.id).toBe(asked.body.id);
    expect([again.status, again.headers.get('location')]).toEqual([202, asked.headers.get('location')]);
    await readEvents(String(asked.body.id));
    expect(await count()).toBe(before + 2);
  });
});
