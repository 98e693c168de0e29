import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  BACKUP_ID,
  backupItem,
  type ControlPlane,
  OPERATION_ID,
  operation,
  PROJECT,
  sendEvent,
  sendJson,
  startControlPlane,
} from './control-plane.ts';
import { flux, makeSandbox, type Sandbox } from './flux.ts';

vi.setConfig({ testTimeout: 60_000 });

const NAMED = ['--project', PROJECT.slug, '--hash', PROJECT.hash];
const EVENTS = `GET /operations/${OPERATION_ID}/events`;

let plane: ControlPlane;
let sandbox: Sandbox;
beforeEach(async () => {
  plane = await startControlPlane();
  sandbox = await makeSandbox();
});
afterEach(async () => {
  await plane.close();
  await sandbox[Symbol.asyncDispose]();
});

describe.each([
  {
    kind: 'nuke',
    args: ['nuke', PROJECT.slug, '--hash', PROJECT.hash, '--yes'],
    route: `POST /projects/${PROJECT.hash}/nuke`,
    result: { hash: PROJECT.hash, removed: true },
    answer: `${PROJECT.slug} (${PROJECT.hash}) is removed. Its backups stay.\n`,
    checkCommand: 'flux list --removed',
  },
  {
    kind: 'backup_delete',
    args: ['backup', 'delete', ...NAMED, '--id', BACKUP_ID, '--yes'],
    route: `POST /projects/${PROJECT.hash}/backups/${BACKUP_ID}/delete`,
    result: { backup: backupItem() },
    answer: `The file of backup ${BACKUP_ID} is deleted.\n`,
    checkCommand: `flux backup list ${NAMED.join(' ')}`,
  },
])('flux $kind', ({ kind, args, route, result, answer, checkCommand }) => {
  beforeEach(() => {
    plane.routes[route] = (_request, response) => sendJson(response, 202, operation('queued', { kind }));
  });

  it('starts the operation once and follows it across a broken connection', async () => {
    plane.routes[`GET /operations/${OPERATION_ID}`] = () => operation('running', { kind });
    plane.routes[EVENTS] = ({ headers }, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (headers['last-event-id'] === undefined) {
        sendEvent(response, 3, 'progress', { progress: { phase: 'remove', message: 'Removing' } });
        setTimeout(() => response.destroy(), 50);
      } else {
        sendEvent(response, 4, 'state', { operation: operation('succeeded', { kind, result }) });
        response.end();
      }
    };

    const ended = await flux(args, { base: plane.base, sandbox });

    expect(ended).toMatchObject({ exitCode: 0, out: answer });
    expect(plane.seen.filter(({ method }) => method === 'POST')).toHaveLength(1);
  });

  it('stops watching on Ctrl-C without cancelling the work, and says how to look again', async () => {
    let child: { kill(signal: NodeJS.Signals): void } | undefined;
    plane.routes[EVENTS] = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      sendEvent(response, 1, 'progress', { progress: { phase: 'remove', message: 'Removing' } });
      setTimeout(() => child?.kill('SIGINT'), 100);
      return new Promise(() => {});
    };

    const ended = await flux(args, { base: plane.base, sandbox, onSpawn: (spawned) => (child = spawned) });

    expect(ended.exitCode).toBe(130);
    expect(ended.err).toContain(
      `The operation continues in the control plane.\nWatch it again with \`flux operation watch ${OPERATION_ID}\`, or check it with \`${checkCommand}\`.`,
    );
    expect(plane.seen.some(({ path }) => path.endsWith('/cancel'))).toBe(false);
  });

  it('refuses an answer about an operation of another kind', async () => {
    plane.routes[EVENTS] = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      sendEvent(response, 1, 'state', { operation: operation('succeeded', { kind: 'push', result: { statements: 1 } }) });
      response.end();
    };

    expect(await flux(args, { base: plane.base, sandbox })).toMatchObject({ exitCode: 1, out: '' });
  });
});

describe('an attached project', () => {
  const attached = { ...PROJECT, attached: true, capabilities: [], status: 'running', lifecycle: 'active', restarts: 0, removedAt: null };
  beforeEach(() => {
    plane.routes[`GET /projects/${PROJECT.hash}`] = () => ({
      project: { ...attached, port: null, postgresVersion: '15.18', createdAt: '2026-06-20T17:18:33.697Z' },
    });
  });

  it.each([
    [['project', 'reset', ...NAMED], 'Flux does not run its server and does not replace data there. Nothing was done.', '--into <slug>'],
    [['backup', 'restore', ...NAMED, '--latest', '--in-place'], 'does not replace data there. Nothing was done.', '--to <uri>'],
    [['backup', 'restore', ...NAMED, '--undo'], 'there is nothing to undo. Nothing was done.', 'flux backup list'],
  ])('is refused with the next step before anybody has to confirm: flux %j', async (args, why, next) => {
    const ended = await flux(args, { base: plane.base, sandbox });

    expect(ended.exitCode).toBe(2);
    expect(ended.err).toContain(`Error: ${PROJECT.slug} is attached: `);
    expect(ended.err).toContain(why);
    expect(ended.err).toContain(next);
    expect(plane.seen.every(({ path, method }) => method === 'GET' && !path.endsWith('/gate'))).toBe(true);
  });

  it('is shown with what it supports, and why it does not support the rest', async () => {
    const { out, exitCode } = await flux(['project', 'show', PROJECT.slug, '--hash', PROJECT.hash], { base: plane.base, sandbox });

    expect(exitCode).toBe(0);
    expect(out).toMatch(/^Mode: +v1_dedicated, attached$/m);
    expect(out).toMatch(/^Supports: +backups, migrations$/m);
    expect(out).toContain(
      `\nNot supported\n  start and stop: ${PROJECT.slug} is attached: Flux does not run its server and cannot start or stop it.\n`,
    );
  });
});
