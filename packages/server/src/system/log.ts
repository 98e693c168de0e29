import { type Logger, pino } from 'pino';

/** A structured logger; one JSON line per record on stderr. */
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

/** Creates the logger of the process. Fields that may contain a secret are redacted at every depth listed. */
export function createLog(level: string): Log {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, redact: { paths: SECRET_PATHS, censor: '[redacted]' } },
    pino.destination({ dest: 2, sync: true }),
  );
}
