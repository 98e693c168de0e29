import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { get, post, world } from './world.ts';

const MIB = 2 ** 20;

/** Memory that the server holds, in bytes. */
function heldBytes(): number {
  const text = readFileSync(`/proc/${world.flux.pid()}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1]) * 1024;
}

/** Sends a body of so many bytes, all of it, whatever is answered meanwhile. */
function send(path: string, bytes: number, headers: Record<string, string>, agent?: Agent): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request(`${world.flux.url}/api/cli/v1${path}`, {
      method: 'POST',
      ...(agent && { agent }),
      headers: { 'content-type': 'application/json', 'content-length': String(bytes), ...headers },
    });
    call.on('error', reject);
    call.on('response', (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (piece) => {
        text += piece;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    const piece = Buffer.alloc(MIB, '[');
    let left = bytes;
    const more = () => {
      while (left > 0) {
        const size = Math.min(left, MIB);
        left -= size;
        if (!call.write(piece.subarray(0, size))) return void call.once('drain', more);
      }
      call.end();
    };
    more();
  });
}

describe('bodies', () => {
  it('are neither kept nor read when nobody may send them, and the answer arrives', async () => {
    const before = heldBytes();
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, heldBytes());
    }, 20);
    const answers = await Promise.all([1, 2, 3].map(() => send('/push', 124 * MIB, {})));
    clearInterval(watch);
    for (const { status, text } of answers) {
      expect(status).toBe(401);
      expect(JSON.parse(text)).toMatchObject({ code: 'not_authenticated' });
    }
    // One body alone would be 124 MiB, and more as text.
    expect(most - before).toBeLessThan(100 * MIB);
  });

  it('are 1 MiB at most, and 128 MiB for a push; the answer arrives in the middle of what is too large', async () => {
    const authorization = `Bearer ${world.flux.token()}`;
    for (const [path, bytes, limit] of [
      ['/create', 40 * MIB, 1],
      ['/push', 200 * MIB, 128],
    ] as const) {
      const answer = await send(path, bytes, { authorization });
      expect(answer.status).toBe(413);
      expect(JSON.parse(answer.text)).toMatchObject({ code: 'payload_too_large', detail: `The body is larger than ${limit} MiB.` });
    }
    const nested = await send('/push', 100 * MIB, { authorization });
    expect(nested.status).toBe(400);
    expect(JSON.parse(nested.text)).toMatchObject({ code: 'invalid_request', detail: 'The body is nested more than 64 deep.' });
  });

  it('of Postgres end a push that asks for too large ones, and nothing else', async () => {
    const { slug, hash } = world.v2;
    const pid = world.flux.pid();
    const value = await post('/push', { slug, hash, sql: `create table never (id int);\nselect repeat('x', 560000000);` });
    expect(value.status).toBe(400);
    expect(value.body).toMatchObject({ code: 'sql_failed', detail: expect.stringContaining('of 535 MiB, and Flux reads at most 128 MiB') });
    const chatty = await post('/push', {
      slug,
      hash,
      sql: `create table chatty (id int); do $$ begin for i in 1..40 loop raise warning '%', repeat('w', 3000000); end loop; end $$`,
    });
    expect(chatty.status).toBe(200);
    expect(chatty.body.warnings).toHaveLength(40);
    expect(JSON.stringify(chatty.body).length).toBeLessThan(100_000);
    expect(
      (await post('/push', { slug, hash, sql: 'insert into chatty values (1); create table never (id int); drop table never' })).status,
    ).toBe(200);
    expect((await get('/auth/verify')).status).toBe(200);
    expect(world.flux.pid()).toBe(pid);
  });

  it('come many on one connection without a trace', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const authorization = `Bearer ${world.flux.token()}`;
    for (let count = 0; count < 30; count++) expect((await send('/create', 3, { authorization }, agent)).status).toBe(400);
    agent.destroy();
    expect(world.flux.log()).not.toContain('MaxListenersExceededWarning');
  });
});
