import { FluxError } from '@flux/contract/errors';

/**
 * The largest message of a Postgres server that is read: a row, a notice or an error. A string of JavaScript ends at 512 MiB, and
 * the driver makes strings of messages where nobody can catch what it throws, so that a larger one would end the process.
 */
const MAX_MESSAGE_BYTES = 128 * 2 ** 20;

/** What is used of a connection of `pg`, which the driver does not describe. */
interface Wire {
  attachListeners(stream: Incoming): void;
}

interface Incoming {
  on(event: string, listener: (bytes: Buffer) => void): unknown;
  destroy(error: Error): unknown;
}

/**
 * Bounds what a client of `pg` reads, before it connects: a message that is too large ends the connection as soon as its length
 * is known, with a FluxError for whatever was being asked; so does anything that the driver cannot read.
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
 * Follows the messages of a stream: a byte that tells the kind, four that tell the length (with themselves), and the rest. Source:
 * the manual, 55.7 "Message Formats".
 *
 * @returns a function that takes the next bytes and gives the length of a message that is too large, or that cannot be one
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
  if (length < LENGTH_BYTES) return new FluxError('postgres_failed', 'The server sent something that is not a message of Postgres.');
  return new FluxError(
    'postgres_failed',
    `Postgres sent a value, notice or error of ${mebibytes(length)}, and Flux reads at most ${mebibytes(maxBytes)}; the connection was ended.`,
    { hint: 'Ask for less at once.' },
  );
}
