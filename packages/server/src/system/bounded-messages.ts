import { FluxError } from '@flux/contract/errors';

/**
 * The largest message of a Postgres server that is read: a row, a notice or an error. A JavaScript string is limited to 512 MiB, and
 * the driver converts messages to strings where its errors cannot be caught, so a larger one would end the process.
 */
const MAX_MESSAGE_BYTES = 128 * 2 ** 20;

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
 * is known, and the running query rejects with a FluxError; so does anything that the driver cannot read.
 */
export function boundMessages(client: object, maxBytes = MAX_MESSAGE_BYTES): void {
  const { connection } = client as { readonly connection: Wire };
  const attach = connection.attachListeners.bind(connection);
  connection.attachListeners = (stream) => attach(guard(stream, maxBytes));
}

function guard(stream: Incoming, maxBytes: number): Incoming {
  const findTooLarge = createMeter(maxBytes);
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
        const tooLarge = findTooLarge(bytes);
        if (tooLarge !== undefined) return end(tooLargeError(tooLarge, maxBytes));
        try {
          listener(bytes);
        } catch (error) {
          end(error instanceof Error ? error : new Error(String(error)));
        }
      });
    },
  };
}

const LENGTH_BYTES = 4;

/**
 * Follows the messages of a stream: one byte for the type, four for the length (including themselves), and the rest. Source:
 * the manual, 55.7 "Message Formats".
 *
 * @returns a function that takes the next bytes and returns the length of a message that is too large or invalid
 */
function createMeter(maxBytes: number): (bytes: Buffer) => number | undefined {
  let headerBytes = 0;
  let length = 0;
  let left = 0;
  return (bytes) => {
    for (let at = 0; at < bytes.length; ) {
      if (left > 0) {
        const skipped = Math.min(left, bytes.length - at);
        left -= skipped;
        at += skipped;
        continue;
      }
      if (headerBytes > 0) length = length * 256 + (bytes[at] as number);
      headerBytes += 1;
      at += 1;
      if (headerBytes <= LENGTH_BYTES) continue;
      if (length > maxBytes || length < LENGTH_BYTES) return length;
      left = length - LENGTH_BYTES;
      headerBytes = 0;
      length = 0;
    }
    return undefined;
  };
}

function tooLargeError(length: number, maxBytes: number): FluxError {
  const mebibytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  if (length < LENGTH_BYTES) return new FluxError('postgres_failed', 'The server sent something that is not a valid Postgres message.');
  return new FluxError(
    'postgres_failed',
    `Postgres sent a value, notice or error of ${mebibytes(length)}, and Flux reads at most ${mebibytes(maxBytes)}; the connection was ended.`,
    { hint: 'Query less data at once.' },
  );
}
