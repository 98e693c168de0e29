import { createHash } from 'node:crypto';
import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { get, text, world } from './world.ts';

describe('download', () => {
  let url: string;
  let bytes: Buffer;
  let id: string;
  let path: string;
  const etag = () => `"${createHash('sha256').update(bytes).digest('hex')}"`;

  beforeAll(async () => {
    const { backups } = (await get(`/projects/${world.v2.hash}/backups?limit=1`)).body as {
      backups: { id: string; primaryArtifactRelativePath: string }[];
    };
    id = backups[0]?.id ?? '';
    path = join(world.flux.dataFolder, 'backups', backups[0]?.primaryArtifactRelativePath ?? '');
    bytes = readFileSync(path);
    url = `/projects/${world.v2.hash}/backups/${id}/download`;
  });
  const fetchPart = async (headers: Record<string, string>) => {
    const answer = await world.flux.api(url, { headers });
    return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) };
  };

  it('sends the whole with everything that is needed to check it', async () => {
    const whole = await fetchPart({});
    expect(whole.status).toBe(200);
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(bytes.length),
      'accept-ranges': 'bytes',
      'content-disposition': `attachment; filename="${world.v2.hash}-${id}.dump"`,
      'repr-digest': `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`,
      etag: etag(),
    });
    expect(whole.bytes.equals(bytes)).toBe(true);
    const latest = await world.flux.api(`/projects/${world.v2.hash}/backups/latest/download`);
    expect(latest.headers.get('etag')).toBe(etag());
    await latest.body?.cancel();
  });

  it.each([
    ['the first bytes', 'bytes=0-99', 0, 99],
    ['the rest from a byte on', 'bytes=100-', 100, -1],
    ['the last bytes', 'bytes=-10', -10, -1],
    ['more than there is', 'bytes=5-99999999', 5, -1],
  ])('sends %s', async (_what, range, from, to) => {
    const part = await fetchPart({ range });
    const [start, end] = [from < 0 ? bytes.length + from : from, to < 0 ? bytes.length + to : to];
    expect(part.status).toBe(206);
    expect(part.headers.get('content-range')).toBe(`bytes ${start}-${end}/${bytes.length}`);
    expect(part.headers.get('content-length')).toBe(String(end - start + 1));
    expect(part.headers.get('etag')).toBe(etag());
    expect(part.bytes.equals(bytes.subarray(start, end + 1))).toBe(true);
  });

  it('says 416 with the length to a range behind the end', async () => {
    const answer = await world.flux.api(url, { headers: { range: `bytes=${bytes.length}-` } });
    expect(answer.status).toBe(416);
    expect(answer.headers.get('content-range')).toBe(`bytes */${bytes.length}`);
    expect(await answer.json()).toMatchObject({ code: 'range_not_satisfiable', error: text });
  });

  it('sends a part only of the very bytes that If-Range names', async () => {
    expect((await fetchPart({ range: 'bytes=10-19', 'if-range': etag() })).status).toBe(206);
    const other = await fetchPart({ range: 'bytes=10-19', 'if-range': '"another"' });
    expect(other.status).toBe(200);
    expect(other.bytes.equals(bytes)).toBe(true);
  });

  it('says 410 and that it was not Flux when the file is gone', async () => {
    renameSync(path, `${path}.away`);
    const answer = await get(url);
    renameSync(`${path}.away`, path);
    expect(answer).toMatchObject({
      status: 410,
      body: { code: 'artifact_gone', error: expect.stringContaining('Flux did not remove it') },
    });
  });
});
