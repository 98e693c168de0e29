import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { claim, columns, flood, int16, int32, message, parameter, READY, row, text } from './hostile-server.ts';

const MIB = 2 ** 20;
const fields = (count: number) => Array.from({ length: count }, (_, index) => `c${index}`);

/** What a server may do to its client, by what it is called. */
export const MISBEHAVIOURS: Readonly<Record<string, (socket: Socket) => void>> = {
  silence: () => undefined,
  'closing at once': (socket) => socket.destroy(),
  'closing in the middle of a message': (socket) => socket.end(Buffer.concat([claim('D', 1000), Buffer.alloc(100)])),
  garbage: (socket) => flood(socket, randomBytes(65_536)),
  'another protocol': (socket) => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'),
  'a byte each 100 ms': (socket) => {
    const bytes = message('N', Buffer.alloc(100_000, 65));
    let at = 0;
    const timer = setInterval(() => socket.write(bytes.subarray(at, ++at)), 100);
    socket.once('close', () => clearInterval(timer));
  },
  'a message of 2 GB': (socket) => flood(Object.assign(socket, { first: socket.write(claim('D', 2 ** 31 - 1)) }), Buffer.alloc(MIB)),
  'a message of a negative length': (socket) => socket.write(claim('D', -5)),
  'a message of length 0': (socket) => socket.write(claim('D', 0)),
  'a notice of 560 MB': (socket) => flood(Object.assign(socket, { first: socket.write(claim('N', 560 * MIB)) }), Buffer.alloc(MIB, 65)),
  'a notice of 120 MiB': (socket) =>
    socket.end(message('N', Buffer.from('S'), text('WARNING'), Buffer.from('M'), text('w'.repeat(120 * MIB)), Buffer.from('\0'))),
  'a parameter of 120 MiB': (socket) => socket.end(parameter('application_name', 'p'.repeat(120 * MIB))),
  'a notification of 120 MiB': (socket) => socket.end(message('A', int32(1), text('channel'), text('p'.repeat(120 * MIB)))),
  'an error of 120 MiB': (socket) =>
    socket.end(
      message(
        'E',
        Buffer.from('S'),
        text('FATAL'),
        Buffer.from('C'),
        text('XX000'),
        Buffer.from('M'),
        text('e'.repeat(120 * MIB)),
        Buffer.from('\0'),
      ),
    ),
  'endless notices': (socket) =>
    flood(socket, message('N', Buffer.from('S'), text('NOTICE'), Buffer.from('M'), text('n'.repeat(1000)), Buffer.from('\0'))),
  'endless parameters': (socket) => flood(socket, parameter('application_name', 'p'.repeat(1000))),
  'endless notifications': (socket) => flood(socket, message('A', int32(1), text('channel'), text('payload'))),
  'endless rows': (socket) => {
    socket.write(columns(['name', 'value']));
    flood(socket, row(['x'.repeat(100), 'y'.repeat(100)]));
  },
  'endless empty rows': (socket) => {
    socket.write(columns([]));
    flood(socket, row([]));
  },
  'endless wide rows': (socket) => {
    socket.write(columns(fields(1600)));
    flood(socket, row(fields(1600).map(() => null)));
  },
  'rows of more fields than columns': (socket) => socket.write(Buffer.concat([columns(['a']), row(['1', '2', '3']), READY])),
  'rows without columns': (socket) => socket.write(Buffer.concat([row(['1']), READY])),
  'a negative number of fields': (socket) => socket.write(Buffer.concat([columns(['a']), message('D', int16(-1)), READY])),
  'a field longer than its message': (socket) =>
    socket.write(Buffer.concat([columns(['a']), message('D', int16(1), int32(5000), Buffer.alloc(3)), READY])),
  'a count of rows that is not true': (socket) =>
    socket.write(Buffer.concat([columns(['a']), message('C', text('SELECT 99999999999999')), READY])),
  'answers to nothing': (socket) => flood(socket, READY),
  'results without end': (socket) => flood(socket, Buffer.concat([columns(['a']), row(['1']), message('C', text('SELECT 1'))])),
  'ends of statements without end': (socket) => flood(socket, message('C', text('A'))),
  'descriptions of columns without end': (socket) =>
    flood(socket, Buffer.concat([columns(Array.from({ length: 1600 }, () => 'a')), message('C', text('A'))])),
  'an unknown way to log in': (socket) => socket.write(message('R', int32(77))),
  'SCRAM without a method': (socket) => socket.write(message('R', int32(10), text('NOTHING'), Buffer.from('\0'))),
  'SCRAM out of turn': (socket) => socket.write(message('R', int32(12), text('v=AAAA'))),
  'a COPY that nobody asked for': (socket) => socket.write(message('G', Buffer.from([0]), int16(0))),
  'endless COPY data': (socket) => {
    socket.write(message('H', Buffer.from([0]), int16(0)));
    flood(socket, message('d', Buffer.alloc(1000, 65)));
  },
};
