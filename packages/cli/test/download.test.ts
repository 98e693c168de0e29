import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { backupItem, type ControlPlane, PROJECT, type SeenRequest, sendProblem, startControlPlane } from './control-plane.ts';
import { flux, makeSandbox, type Sandbox } from './flux.ts';

vi.setConfig({ testTimeout: 60_000 });

const CONTENT = randomBytes(300_000);
const SHA256 = createHash('sha256').update(CONTENT).digest('hex');
const DOWNLOAD = `GET /projects/${PROJECT.hash}/backups/latest/download`;
const ARGS = ['backup', 'download', '--project', PROJECT.slug, '--hash', PROJECT.hash, '--latest'];

let plane: ControlPlane;
let sandbox: Sandbox;
let target: string;
beforeEach(async () => {
  plane = await startControlPlane({
    [`GET /projects/${PROJECT.hash}/backups/latest`]: () => ({
      backup: backupItem({ checksumSha256: SHA256, sizeBytes: CONTENT.length }),
      prerequisitesSql: null,
      verifications: [],
    }),
    [DOWNLOAD]: serve(),
  });
  sandbox = await makeSandbox();
  target = join(sandbox.cwd, 'bloom.dump');
});
afterEach(async () => {
  await plane.close();
  await sandbox[Symbol.asyncDispose]();
});
const run = (...args: string[]) => flux([...ARGS, ...args], { base: plane.base, sandbox });
const rangesAsked = () => plane.seen.filter(({ path }) => path.endsWith('/download')).map(({ headers }) => headers.range);

/** A server of ranges. `cutAfter` says after how many bytes the n-th answer breaks off; `content` is what it sends. */
function serve({ cutAfter = [], content = CONTENT }: { cutAfter?: (number | undefined)[]; content?: Buffer } = {}) {
  let answers = 0;
  return ({ headers }: SeenRequest, response: ServerResponse): void => {
    const cut = cutAfter[answers];
    answers += 1;
    const from = headers['if-range'] === `"${SHA256}"` ? Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0) : 0;
    if (from >= content.length) {
      response.writeHead(416).end();
      return;
    }
    response.writeHead(from > 0 ? 206 : 200, {
      'content-type': 'application/octet-stream',
      'content-length': content.length - from,
      etag: `"${SHA256}"`,
      ...(from > 0 ? { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` } : {}),
    });
    if (cut === undefined) response.end(content.subarray(from));
    else response.write(content.subarray(from, from + cut), () => setTimeout(() => response.destroy(), 20));
  };
}

it('writes the artifact under its name, readable by nobody else, and leaves nothing beside it', async () => {
  const result = await run('-o', target, '--json');

  expect(result.exitCode).toBe(0);
  expect(JSON.parse(result.out)).toEqual({ path: target, sha256: SHA256, sizeBytes: CONTENT.length });
  expect(await readFile(target)).toEqual(CONTENT);
  expect((await stat(target)).mode & 0o777).toBe(0o600);
  expect(await readdir(sandbox.cwd)).toEqual(['bloom.dump']);
});

it('goes on where the connection broke', async () => {
  plane.routes[DOWNLOAD] = serve({ cutAfter: [100_000, 50_000] });

  const result = await run('-o', target);

  expect(result.exitCode).toBe(0);
  expect(await readFile(target)).toEqual(CONTENT);
  expect(rangesAsked()).toEqual([undefined, 'bytes=100000-', 'bytes=150000-']);
  expect(result.err).toContain('trying again, 2');
});

it('goes on where an earlier run stopped', async () => {
  await writeFile(`${target}.partial`, CONTENT.subarray(0, 123_456), { mode: 0o644 });

  expect((await run('-o', target)).exitCode).toBe(0);
  expect(rangesAsked()).toEqual(['bytes=123456-']);
  expect(await readFile(target)).toEqual(CONTENT);
  expect((await stat(target)).mode & 0o777).toBe(0o600);
});

it('starts over when what an earlier run left belongs to something else', async () => {
  await writeFile(`${target}.partial`, randomBytes(123_456));

  expect((await run('-o', target)).exitCode).toBe(0);
  expect(await readFile(target)).toEqual(CONTENT);
});

it('needs no bytes when an earlier run left all of them', async () => {
  await writeFile(`${target}.partial`, CONTENT);

  expect((await run('-o', target)).exitCode).toBe(0);
  expect(rangesAsked()).toEqual([]);
  expect(await readFile(target)).toEqual(CONTENT);
});

it('keeps a good file when the bytes that arrive are not the artifact', async () => {
  await writeFile(target, 'yesterday');
  const damaged = Buffer.from(CONTENT);
  damaged[200_000] = (damaged[200_000] ?? 0) ^ 1;
  plane.routes[DOWNLOAD] = serve({ content: damaged });

  const result = await run('-o', target);

  expect(result.exitCode).toBe(1);
  expect(result.err).toContain('are not the artifact');
  expect(await readFile(target, 'utf8')).toBe('yesterday');
  expect(await readdir(sandbox.cwd)).toEqual(['bloom.dump']);
});

it.each([
  ['an error page', (_: SeenRequest, response: ServerResponse) => void response.writeHead(200).end('<html>Oops</html>'), 1],
  [
    '0 bytes',
    (_: SeenRequest, response: ServerResponse) => void response.writeHead(200, { etag: `"${SHA256}"`, 'content-length': 0 }).end(),
    1,
  ],
  [
    'a file that is gone',
    (_: SeenRequest, response: ServerResponse) => sendProblem(response, 'artifact_gone', 410, 'Retention removed it.'),
    4,
  ],
])('makes no file of %s', async (_name, handler, exitCode) => {
  plane.routes[DOWNLOAD] = handler;

  const result = await run('-o', target);

  expect(result.exitCode).toBe(exitCode);
  expect(await readdir(sandbox.cwd).then((names) => names.filter((name) => !name.endsWith('.partial')))).toEqual([]);
});

it('writes to standard output and checks it all the same', async () => {
  plane.routes[DOWNLOAD] = serve({ cutAfter: [100_000] });
  const good = await run('-o', '-');
  expect(good.exitCode).toBe(0);
  expect(good.stdout).toEqual(CONTENT);

  plane.routes[DOWNLOAD] = serve({ content: randomBytes(CONTENT.length) });
  const bad = await run();
  expect(bad.exitCode).toBe(1);
  expect(bad.err).toContain('is NOT the artifact');
});

it.each([
  ['a missing folder', 'no/such/folder/bloom.dump', /There is no folder/],
  ['a folder', 'folder', /is a folder/],
  ['a device', 'device', /is not a regular file/],
])('refuses %s as a target before any request', async (_name, path, words) => {
  await mkdir(join(sandbox.cwd, 'folder'));
  await symlink('/dev/null', join(sandbox.cwd, 'device'));

  const result = await run('-o', path);

  expect(result.exitCode).toBe(1);
  expect(result.err).toMatch(words);
  expect(plane.seen).toEqual([]);
});
