import { expect, it } from 'vitest';
import { parseEventStream, type ServerSentEvent } from './event-stream.ts';

async function* from(chunks: readonly string[]): AsyncGenerator<string> {
  yield* chunks;
}

async function parse(...chunks: string[]): Promise<ServerSentEvent[]> {
  const events: ServerSentEvent[] = [];
  for await (const event of parseEventStream(from(chunks))) events.push(event);
  return events;
}

it('reads the same events wherever the chunks are cut and however lines end', async () => {
  const text = ': heartbeat\n\nid: 1\nevent: progress\ndata: {"a":\ndata: 1}\n\nid: 2\nevent: state\ndata: x\n\n';
  const expected = [
    { id: '1', event: 'progress', data: '{"a":\n1}' },
    { id: '2', event: 'state', data: 'x' },
  ];
  for (const ending of ['\n', '\r\n', '\r']) {
    const ended = text.replaceAll('\n', ending);
    for (let at = 0; at <= ended.length; at += 1) expect(await parse(ended.slice(0, at), ended.slice(at))).toEqual(expected);
    expect(await parse(...ended)).toEqual(expected);
  }
});

it('drops an event that the end of the stream cut off', async () => {
  expect(await parse('id: 1\ndata: whole\n\nid: 2\ndata: hal')).toEqual([{ id: '1', event: 'message', data: 'whole' }]);
});

it('reads a line that comes in very many chunks', async () => {
  const began = Date.now();
  const chunks = ['data: ', ...Array<string>(60_000).fill('many chunks '), '\n\n'];
  expect((await parse(...chunks))[0]?.data).toHaveLength(720_000);
  expect(Date.now() - began).toBeLessThan(20_000);
});
