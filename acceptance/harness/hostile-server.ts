import { connect, createServer, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** When a server stops to behave: at the first byte of a connection, at the first query, or, as a relay, when it is armed and a text is sent. */
export type Moment = 'at once' | 'after login' | { readonly upstreamPort: number; readonly atText: string; isArmed(): boolean };

/** A TCP server on loopback that speaks the protocol of Postgres up to a moment, and then something else. */
export interface HostileServer extends AsyncDisposable {
  readonly port: number;
  /** A URI that the server takes any password for. */
  uri(parameters?: string): string;
  /** Connections that came, and those that are open. */
  readonly seen: { came: number; open: number; misbehaved: number };
}

export interface HostileOptions {
  readonly moment: Moment;
  readonly misbehave: (socket: Socket) => void;
  /** With a certificate the server speaks TLS when it is asked to. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** Starts one. Disposing of it ends its connections. */
export async function startHostileServer(options: HostileOptions): Promise<HostileServer> {
  const sockets = new Set<Socket>();
  const seen = { came: 0, open: 0, misbehaved: 0 };
  const misbehave = (socket: Socket) => {
    seen.misbehaved += 1;
    options.misbehave(socket);
  };
  const server = createServer((socket) => {
    seen.came += 1;
    seen.open += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      seen.open -= 1;
      sockets.delete(socket);
    });
    // Unread bytes would hide that the client is gone.
    if (options.moment === 'at once') misbehave(socket.resume());
    else if (options.moment === 'after login') greet(socket, options, misbehave);
    else relay(socket, options.moment, misbehave);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    port,
    seen,
    uri: (parameters = '') => `postgresql://somebody:something@127.0.0.1:${port}/somewhere${parameters}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const SSL_REQUEST = 80_877_103;

/** Lets anybody in, as a server does that trusts them, and misbehaves at the first query. */
function greet(socket: Socket, options: HostileOptions, misbehave: (socket: Socket) => void): void {
  socket.once('data', (bytes) => {
    if (bytes.length === 8 && bytes.readInt32BE(4) === SSL_REQUEST) {
      if (options.tls === undefined) {
        socket.write('N');
        return greet(socket, options, misbehave);
      }
      socket.write('S');
      const secure = new TLSSocket(socket, { isServer: true, ...options.tls });
      secure.on('error', () => socket.destroy());
      return greet(secure, options, misbehave);
    }
    socket.write(Buffer.concat([message('R', int32(0)), parameter('server_version', '15.18'), message('K', int32(1), int32(2)), READY]));
    socket.once('data', () => misbehave(socket));
  });
}

/** Passes everything on to a real server, until the client sends a text. */
function relay(socket: Socket, moment: Exclude<Moment, string>, misbehave: (socket: Socket) => void): void {
  const upstream = connect(moment.upstreamPort, '127.0.0.1');
  let isHonest = true;
  upstream.on('error', () => isHonest && socket.destroy());
  upstream.on('data', (bytes) => isHonest && socket.write(bytes));
  upstream.on('end', () => isHonest && socket.end());
  socket.on('data', (bytes) => {
    if (isHonest && moment.isArmed() && bytes.includes(moment.atText)) {
      isHonest = false;
      upstream.destroy();
      misbehave(socket);
    } else if (isHonest) upstream.write(bytes);
  });
  socket.once('close', () => upstream.destroy());
}

/** One message of the protocol. Source: the manual, "Message Formats". */
export function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

/** The beginning of a message that claims to have a length. */
export function claim(type: string, length: number): Buffer {
  return Buffer.concat([Buffer.from(type), int32(length)]);
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

export const text = (value: string) => Buffer.from(`${value}\0`);
export const parameter = (name: string, value: string) => message('S', text(name), text(value));
export const READY = message('Z', Buffer.from('I'));

/** Columns of a result, all of type text. */
export function columns(names: readonly string[]): Buffer {
  const fields = names.map((name) => Buffer.concat([text(name), int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0)]));
  return message('T', int16(names.length), ...fields);
}

/** A row; null for a field without a value. */
export function row(values: readonly (string | null)[]): Buffer {
  const fields = values.map((value) => {
    if (value === null) return int32(-1);
    const bytes = Buffer.from(value);
    return Buffer.concat([int32(bytes.length), bytes]);
  });
  return message('D', int16(values.length), ...fields);
}

/** Sends the same bytes again and again, as fast as the client takes them, until it has had enough. */
export function flood(socket: Socket, piece: Buffer): void {
  const chunk = piece.length > 65_536 ? piece : Buffer.concat(Array.from({ length: Math.ceil(262_144 / piece.length) }, () => piece));
  const send = () => {
    while (!socket.destroyed && socket.writable) if (!socket.write(chunk)) return void socket.once('drain', send);
  };
  send();
}
