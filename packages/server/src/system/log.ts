import { type Logger, pino } from 'pino';

/** A structured logger; one JSON line a record on stderr. */
export type Log = Logger;

const SECRET_PATHS = [
  'password',
  '*.password',
  '*.*.password',
  'token',
  '*.token',
  'authorization',
  'req.headers.authorization',
  'headers.authorization',
  'uri',
  '*.uri',
  'connectionString',
  '*.connectionString',
  'sql',
  '*.sql',
];

/** Makes the logger of the process. Fields that may hold a secret are redacted wherever they stand. */
export function createLog(level: string): Log {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, redact: { paths: SECRET_PATHS, censor: '[redacted]' } },
    pino.destination({ dest: 2, sync: true }),
  );
}
