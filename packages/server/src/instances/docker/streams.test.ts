import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { readPieces, textOf } from './streams.ts';

const frame = (stream: 1 | 2, text: string) => {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
};

it.each([1, 3, 7, 8, 9, 1000])('tells stdout from stderr in chunks of %d bytes', async (size) => {
  const bytes = Buffer.concat([frame(1, 'one'), frame(2, 'an error'), frame(1, ''), frame(1, 'two')]);
  const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
  const texts = { stdout: '', stderr: '' };
  for await (const { stream, bytes: piece } of readPieces(Readable.from(chunks))) texts[stream] += piece.toString();
  expect(texts).toEqual({ stdout: 'onetwo', stderr: 'an error' });
});

it('does not take a conversation that broke off for the end', async () => {
  await expect(textOf(frame(1, 'whole').subarray(0, 10))).rejects.toThrow('broke in the middle');
  await expect(textOf(frame(1, 'whole').subarray(0, 5))).rejects.toThrow('broke in the middle');
});
