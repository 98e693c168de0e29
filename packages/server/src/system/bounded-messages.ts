import { FluxError } from '@flux/contract/errors';

/**
 * The largest message of a Postgres server that is read: a row, a notice or an error. A JavaScript string is limited to 512 MiB, and
 * the driver converts messages to strings where its errors cannot be caught, so a larger one would end the process.
 */
const MAX_MESSAGE_BYTES = 128 * 2 ** 20;

/**
 * How much memory the answer to one question may take, by an estimate: its rows are collected. A server that lies may send rows for ever,
 * and rows of a few bytes each take far more memory than they have bytes.
 */
const MAX_ANSWER_BYTES = 512 * 2 ** 20;
const MEMORY = { ofRow: 128, ofField: 32, ofResult: 256, ofDescription: 8 };

/** What a client may be sent, in bytes. */
export interface MessageBounds {
  readonly message?: number | undefined;
  readonly answer?: number | undefined;
}

/** A bound for the answer to one question, and what to say of a larger one. */
export interface AnswerBound {
  readonly bytes: number;
  exceeded(): FluxError;
}

/** What is done with the rows that arrive; only those that are collected are limited in their sum. */
export interface BoundedReading {
  rows: 'collected' | 'discarded';
  /** Of the question that is being answered, when it has a bound of its own. */
  bound?: AnswerBound | undefined;
}

/** The part of a `pg` connection used here; the types of the driver do not declare it. */
interface Wire {
  attachListeners(stream: Incoming): void;
}

interface Incoming {
  on(event: string, listener: (bytes: Buffer) => void): unknown;
  destroy(error: Error): unknown;
}

/**
 * Limits what a `pg` client reads; call it before connecting. A message that is too large ends the connection as soon as its length
 * is known, and the running query rejects with a FluxError; so does an answer of too many rows, and anything that the driver cannot read.
 */
export function boundMessages(client: object, bounds: MessageBounds = {}): BoundedReading {
  const { connection } = client as { readonly connection: Wire };
  const reading: BoundedReading = { rows: 'collected' };
  const attach = connection.attachListeners.bind(connection);
  connection.attachListeners = (stream) => attach(guard(stream, createMeter(bounds, reading)));
  return reading;
}

function guard(stream: Incoming, findProblem: Meter): Incoming {
  let isOver = false;
  const end = (error: Error) => {
    isOver = true;
    stream.destroy(error);
  };
  return {
    destroy: (error) => stream.destroy(error),
    on: (event, listener) => {
      if (event !== 'data') return stream.on(event, listener);
      return stream.on('data', (bytes) => {
        if (isOver) return;
        const problem = findProblem(bytes);
        if (problem !== undefined) return end(problem);
        try {
          listener(bytes);
        } catch (error) {
          end(error instanceof Error ? error : new Error(String(error)));
        }
      });
    },
  };
}

/** Takes the next bytes of a stream, and returns why no more of it may be read. */
type Meter = (bytes: Buffer) => FluxError | undefined;

const LENGTH_BYTES = 4;
const COUNT_BYTES = 2;
const [DATA_ROW, READY_FOR_QUERY, COMMAND_COMPLETE, EMPTY_QUERY, ROW_DESCRIPTION] = [0x44, 0x5a, 0x43, 0x49, 0x54];

/**
 * Follows the messages of a stream: one byte for the type, four for the length (including themselves), and the rest, of which that of a row
 * begins with its number of fields in two bytes. Source: the manual, 55.7 "Message Formats".
 */
function createMeter({ message = MAX_MESSAGE_BYTES, answer = MAX_ANSWER_BYTES }: MessageBounds, reading: BoundedReading): Meter {
  let type = 0;
  let headerBytes = 0;
  let length = 0;
  let left = 0;
  let countBytes = 0;
  let fields = 0;
  let collected = 0;
  const tooMuch = () => {
    const { bound } = reading;
    if (bound !== undefined && collected > bound.bytes) return bound.exceeded();
    return collected > answer ? tooManyRows(answer) : undefined;
  };
  return (bytes) => {
    for (let at = 0; at < bytes.length; ) {
      if (left > 0) {
        for (; countBytes > 0 && left > 0 && at < bytes.length; countBytes--, left--) fields = fields * 256 + (bytes[at++] as number);
        const skipped = Math.min(left, bytes.length - at);
        left -= skipped;
        at += skipped;
        if (left > 0) continue;
        collected += fields * MEMORY.ofField;
        const problem = tooMuch();
        if (problem !== undefined) return problem;
        continue;
      }
      const byte = bytes[at++] as number;
      if (headerBytes === 0) type = byte;
      else length = length * 256 + byte;
      headerBytes += 1;
      if (headerBytes <= LENGTH_BYTES) continue;
      if (length > message || length < LENGTH_BYTES) return unreadable(length, message);
      if (type === READY_FOR_QUERY) collected = 0;
      const counts = type === DATA_ROW && reading.rows === 'collected';
      if (counts) collected += length + MEMORY.ofRow;
      // The driver keeps a result for each statement, with what its columns are, whatever is done with the rows.
      if (type === COMMAND_COMPLETE || type === EMPTY_QUERY) collected += MEMORY.ofResult;
      if (type === ROW_DESCRIPTION) collected += length * MEMORY.ofDescription;
      const problem = tooMuch();
      if (problem !== undefined) return problem;
      left = length - LENGTH_BYTES;
      countBytes = counts ? COUNT_BYTES : 0;
      fields = 0;
      headerBytes = 0;
      length = 0;
    }
    return undefined;
  };
}

const ENDED = { connection: 'ended' };
const mebibytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;

function unreadable(length: number, maxBytes: number): FluxError {
  if (length < LENGTH_BYTES)
    return new FluxError('postgres_failed', 'The server sent something that is not a valid Postgres message.', { details: ENDED });
  return new FluxError(
    'postgres_failed',
    `Postgres sent a value, notice or error of ${mebibytes(length)}, and Flux reads at most ${mebibytes(maxBytes)}; the connection was ended.`,
    { hint: 'Query less data at once.', details: ENDED },
  );
}

function tooManyRows(maxBytes: number): FluxError {
  return new FluxError(
    'postgres_failed',
    `Postgres answered a question with more rows than fit into ${mebibytes(maxBytes)}; the connection was ended.`,
    { hint: 'The database has too many objects, or the server is not a Postgres that answers truthfully.', details: ENDED },
  );
}
