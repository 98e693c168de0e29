import { createHash } from 'node:crypto';
import { open, truncate, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { backupItem, operation, PROJECT, sendEvent, sendJson, sendProblem } from './control-plane.ts';
import { type FluxOptions, flux, makeSandbox, type Sandbox } from './flux.ts';

vi.setConfig({ testTimeout: 60_000 });

const SIZE = 64 * 2 ** 20;
const PATH = `/api/v1/projects/${PROJECT.hash}/backups/import`;

let sandbox: Sandbox;
let server: http.Server;
let base: string;
/** Answers the upload. */
let receive: (request: http.IncomingMessage, response: http.ServerResponse) => Promise<void> | void;

beforeEach(async () => {
  sandbox = await makeSandbox();
  const file = join(sandbox.cwd, 'shop.dump');
  await writeFile(file, Buffer.from([...Buffer.from('PGDMP'), 1, 14, 0, 4, 8, 1]));
  await truncate(file, SIZE);
  server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (pathname === PATH) {
      void receive(request, response);
      return;
    }
    if (pathname === `/api/v1/projects/${PROJECT.hash}`) {
      sendJson(response, 200, { project: PROJECT });
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const result = { backup: backupItem({ origin: 'imported' }) };
    sendEvent(response, 1, 'state', { operation: operation('succeeded', { kind: 'backup_import', result }) });
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await sandbox[Symbol.asyncDispose]();
});

const run = (more: Partial<FluxOptions> = {}, ...args: string[]) =>
  flux(['backup', 'import', 'shop.dump', '--project', PROJECT.slug, '--hash', PROJECT.hash, ...args], { base, sandbox, ...more });

it('sends the file as it is, with its size, digest and name, and says what it is compared with', async () => {
  const hash = createHash('sha256');
  let seen: { readonly query: URLSearchParams; readonly headers: http.IncomingHttpHeaders } | undefined;
  receive = async (request, response) => {
    for await (const chunk of request) hash.update(chunk as Buffer);
    seen = { query: new URL(request.url ?? '/', 'http://localhost').searchParams, headers: request.headers };
    sendJson(response, 202, operation('queued', { kind: 'backup_import' }));
  };

  const imported = await run({}, '--note', 'from the old host');

  expect(imported.exitCode).toBe(0);
  expect(seen?.headers).toMatchObject({ 'content-length': String(SIZE), 'content-type': 'application/octet-stream' });
  expect(Object.fromEntries(seen?.query ?? [])).toEqual({ sha256: hash.digest('hex'), name: 'shop.dump', note: 'from the old host' });
  expect(imported.out).toContain('Imported: compared with what the archive itself holds, not with a source.');
  expect(imported.err).toContain('flux backup verify');
});

it('shows why the control plane refuses the file, and sends no more of it', async () => {
  let received = 0;
  receive = (request, response) => {
    request.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (!response.headersSent) sendProblem(response, 'invalid_request', 400, 'The file is not an archive.');
      request.pause();
    });
  };

  const refused = await run();

  expect(refused.err).toContain('Error: The file is not an archive.');
  expect(refused.exitCode).toBe(2);
  expect(received).toBeLessThan(SIZE);
});

it('stops on Ctrl-C, and says that nothing was imported', async () => {
  let child: { kill(signal: NodeJS.Signals): void } | undefined;
  receive = (request) => {
    request.once('data', () => {
      request.pause();
      child?.kill('SIGINT');
    });
  };

  const stopped = await run({ onSpawn: (spawned) => (child = spawned) });

  expect(stopped.err).toContain('The upload was stopped. Nothing was imported.');
  expect(stopped.exitCode).toBe(130);
});

it('sends nothing of a file that changes while it is read', async () => {
  receive = async (request, response) => {
    const file = await open(join(sandbox.cwd, 'shop.dump'), 'r+');
    await file.truncate(SIZE / 2);
    await file.close();
    request.resume().on('error', () => {});
    response.on('error', () => {});
  };

  const changed = await run();

  expect(changed.err).toContain('shop.dump was changed while it was read');
  expect(changed.exitCode).toBe(1);
});
