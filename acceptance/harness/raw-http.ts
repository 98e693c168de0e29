import { connect, type Socket } from 'node:net';

/** Opens a connection to a server, for bytes that no HTTP client would send. */
export async function openRaw(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

/** Sends bytes, and collects what comes back until the server closes the connection or a time is over. */
export async function exchange(url: string, bytes: string | Buffer, withinMs = 5000): Promise<string> {
  const socket = await openRaw(url);
  let text = '';
  socket.setEncoding('utf8').on('data', (piece) => {
    text += piece;
  });
  socket.write(bytes);
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, withinMs);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  socket.destroy();
  return text;
}
