import type { OutgoingHttpHeaders } from 'node:http';
import type { OperationId } from '@flux/contract/ids';
import { type OperationEvent, Progress } from '@flux/contract/operation';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { findOperation, listProgress, type OperationRow } from '../catalog/operations.ts';
import { parseStored } from '../catalog/stored-json.ts';
import { isFinished } from '../operations/wait.ts';
import type { OperationRouteDeps } from './deps.ts';

const CHECK_EVERY_MS = 1000;
const HEARTBEAT_MS = 15_000;

interface EventSink {
  send(event: Pick<OperationEvent, 'kind' | 'seq' | 'at'> & ({ readonly progress: Progress } | { readonly operation: object })): void;
  beat(): void;
  describe(operation: OperationRow): object;
}

/**
 * Answers with the events of an operation as server-sent events, those after `Last-Event-ID` first, until it has ended.
 *
 * @param describe renders the operation in the last event
 */
export async function streamEvents(
  deps: Pick<OperationRouteDeps, 'catalog' | 'log'>,
  { request, reply, signal }: { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly signal: AbortSignal },
  id: OperationId,
  describe: EventSink['describe'],
): Promise<void> {
  reply.hijack();
  reply.raw.writeHead(200, {
    ...(reply.getHeaders() as OutgoingHttpHeaders),
    'content-type': 'text/event-stream',
    'x-accel-buffering': 'no',
  });
  const after = Number(request.headers['last-event-id']);
  const sink: EventSink = {
    send: (event) => reply.raw.write(`id: ${event.seq}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`),
    beat: () => reply.raw.write(':\n\n'),
    describe,
  };
  await sendEvents(deps, id, Number.isSafeInteger(after) && after > 0 ? after : 0, sink, signal).catch((error) =>
    deps.log.warn({ err: error, operation: id }, 'an event stream was cut off'),
  );
  reply.raw.end();
}

/** Sends the events since `after` and then new ones, until the operation has ended or the client disconnects. */
async function sendEvents(
  { catalog }: Pick<OperationRouteDeps, 'catalog'>,
  id: OperationId,
  after: number,
  { send, beat, describe }: EventSink,
  signal: AbortSignal,
): Promise<void> {
  let seq = after;
  let lastSentAt = performance.now();
  while (!signal.aborted) {
    const heard = catalog.listener.wait('flux_operation', id, CHECK_EVERY_MS, signal);
    const operation = await findOperation(catalog.db, id);
    if (operation === undefined) return;
    for (const row of await listProgress(catalog.db, id, seq)) {
      seq = row.seq;
      send({
        kind: 'progress',
        seq,
        at: row.at.toISOString(),
        progress: parseStored(Progress, row.data, `The progress of operation ${id}`),
      });
      lastSentAt = performance.now();
    }
    if (isFinished(operation)) return send({ kind: 'state', seq: seq + 1, at: new Date().toISOString(), operation: describe(operation) });
    if (performance.now() - lastSentAt > HEARTBEAT_MS) {
      beat();
      lastSentAt = performance.now();
    }
    await heard;
  }
}
