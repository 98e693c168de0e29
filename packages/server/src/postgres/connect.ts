import type { Socket } from 'node:net';
import { FluxError, isFluxError } from '@flux/contract/errors';
import { Client, DatabaseError, Query, types } from 'pg';
import { type AnswerBound, type BoundedReading, boundMessages, type MessageBounds } from '../system/bounded-messages.ts';
import { requireChannelBinding } from './channel-binding.ts';
import { applySettings, libpqOptions, OUR_BOUNDS, RESET_GIVEN_SETTINGS, type SessionSettings } from './session-settings.ts';
import type { PostgresTarget } from './target.ts';
import { type Encryption, encryptionOrder, tlsOptions } from './tls.ts';

/** One connection. Values that JavaScript cannot represent exactly (bigint, numeric) are returned as text. */
export interface PostgresSession extends AsyncDisposable {
  /** Process id of the backend on the server. */
  readonly backendPid: number;
  /**
   * The settings that a database, a role or the host had given to the session, with the values of Postgres that they have now. A program of
   * Postgres that connects to the same database needs them too (`libpqOptions`). Empty for a session with the search_path of the role.
   */
  readonly given: SessionSettings;
  /**
   * Runs one statement, with parameters bound by the server. An answer larger than `bound` ends the connection.
   *
   * @throws DatabaseError of `pg` when Postgres refuses it; the error of `bound`
   */
  query<Row extends object = Record<string, unknown>>(sql: string, parameters?: readonly unknown[], bound?: AnswerBound): Promise<Row[]>;
  /**
   * Runs one or more statements as text, without parameters; rows are discarded.
   *
   * @param onStatement called after each successful statement, so that the number of a failed one is known
   */
  run(sql: string, onStatement?: () => void): Promise<void>;
  /** Runs a `COPY ... TO STDOUT` and gives each row as the server writes it. @throws DatabaseError of `pg` */
  copyOut(sql: string, onRow: (row: Uint8Array) => void): Promise<void>;
  /** Called for each notice or warning of the server; `severity` is for example WARNING, in the server's language. */
  onNotice(listener: (message: string, severity: string, sqlState: string) => void): void;
  /** Called once when the connection ends, whoever ended it. */
  onEnd(listener: () => void): void;
  /** Ends the connection; never throws. */
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** Settings for this session only. */
  readonly settings?: Readonly<Record<string, string>>;
  /**
   * The search_path of the session, and whose settings it has. `ours` is pg_catalog, and the built-in settings of Postgres: the owner of a database can set another one for it, and must not control
   * which functions and operators our superuser runs. `role` keeps that of the role, for SQL of the owner that runs as the owner.
   */
  readonly searchPath?: 'ours' | 'role';
  readonly connectTimeoutMs?: number;
  /** The largest row, notice or error that is read, and the largest answer; a larger one ends the connection with `postgres_failed`. */
  readonly maxBytes?: MessageBounds;
  /**
   * The time that the whole session may last, for one that asks only what a server answers at once: then the connection ends, with
   * `instance_unavailable`. A server that is not ours may never answer.
   */
  readonly withinMs?: number | undefined;
  /** Drops the connection when aborted; the statement that runs then fails. */
  readonly signal?: AbortSignal | undefined;
}

const CLOSE_MS = 2000;

/**
 * Opens a connection, encrypted according to the `sslmode` of the target, with the same meaning as in pg_dump.
 *
 * @throws FluxError `instance_unavailable` when no connection can be made; `details.sqlState` is there when the server
 *   answered and refused
 */
export async function connectPostgres(target: PostgresTarget, options: ConnectOptions = {}): Promise<PostgresSession> {
  options.signal?.throwIfAborted();
  const free = await target.places?.take(options.signal);
  try {
    const opened = await openEither(target, options);
    return toSession({
      ...opened,
      close: () => opened.close().finally(free),
    });
  } catch (error) {
    free?.();
    throw error;
  }
}

async function openEither(target: PostgresTarget, options: ConnectOptions): Promise<OpenedClient> {
  const [first, second] = encryptionOrder(target);
  const attempt = await openClient(target, options, first);
  if ('client' in attempt) return attempt;
  if (second === undefined || !attempt.otherMayWork || options.signal?.aborted) throw unavailable(target, attempt.error);
  const again = await openClient(target, options, second);
  if ('client' in again) return again;
  // The server does not accept a session of the first kind, or did not answer it: then the second answer counts.
  const isFirstReport = sqlStateOf(attempt.error) !== undefined && sqlStateOf(attempt.error) !== NO_ENTRY_FOR_SESSION;
  throw unavailable(target, isFirstReport ? attempt.error : again.error);
}

/**
 * Settings of a database or role that keep a session from ever beginning, by the SQLSTATE that it ends with; a connection that asks for
 * the value here can begin. Only a superuser may ask for the last library setting, so it is tried last.
 * Source: the manual, appendix A: `undefined_file`, `query_canceled`, `transaction_timeout`, `idle_session_timeout`.
 */
const HEALED_BY: Readonly<Record<string, readonly (readonly [name: string, value: string])[]>> = {
  '58P01': [
    ['local_preload_libraries', ''],
    ['session_preload_libraries', ''],
  ],
  '57014': [['statement_timeout', '0']],
  '25P04': [['transaction_timeout', '0']],
  '57P05': [['idle_session_timeout', '0']],
};

/** The settings to ask for in another attempt; undefined when none would help. */
function healedSettings(error: unknown, tried: SessionSettings): SessionSettings | undefined {
  const next = HEALED_BY[sqlStateOf(error) ?? '']?.find(([name]) => tried[name] === undefined);
  return next === undefined ? undefined : { ...tried, [next[0]]: next[1] };
}

/**
 * A role whose transactions are serializable, read-only and deferrable by default waits at its first statement for every serializable
 * transaction of others. Source: the manual, SET TRANSACTION.
 */
const AT_ONCE = 'BEGIN ISOLATION LEVEL READ COMMITTED';
/** The first statements of a session ask for nothing that takes long. */
const BEGIN_MS = 30_000;

/** Starts the session from one known set of settings, and returns those that were changed. A session for the owner's SQL keeps the owner's. */
async function applyKnownSettings(
  client: Client,
  target: PostgresTarget,
  { searchPath, settings }: ConnectOptions,
): Promise<SessionSettings> {
  if (searchPath === 'role') {
    await client.query(`${AT_ONCE};${applySettings({ default_transaction_deferrable: 'off', ...settings })};COMMIT`);
    return {};
  }
  // In one text, to save round trips. Its first statement makes sure that the names in the second are those of Postgres.
  const results = (await client.query(
    `${AT_ONCE};${applySettings({ search_path: 'pg_catalog' })};${RESET_GIVEN_SETTINGS};${applySettings({ search_path: 'pg_catalog', ...OUR_BOUNDS, ...settings })};
     SELECT 'max_connections' AS name, pg_catalog.current_setting('max_connections') AS value;COMMIT`,
  )) as unknown as readonly { readonly rows: readonly { readonly name: string; readonly value: string }[] }[];
  target.places?.learn(Number(results[4]?.rows[0]?.value));
  return Object.fromEntries((results[2]?.rows ?? []).map(({ name, value }) => [name, value]));
}

/** No line of pg_hba.conf allows it. Source: the manual, appendix A, `invalid_authorization_specification`. */
const NO_ENTRY_FOR_SESSION = '28000';

interface OpenedClient {
  readonly client: Client;
  readonly reading: BoundedReading;
  readonly given: SessionSettings;
  close(): Promise<void>;
}

interface FailedClient {
  readonly error: unknown;
  /** Whether the other kind of encryption may be tried, as libpq would: not when nobody answered at all. */
  readonly otherMayWork: boolean;
}

async function openClient(
  target: PostgresTarget,
  options: ConnectOptions,
  encryption: Encryption,
  heal: SessionSettings = {},
): Promise<OpenedClient | FailedClient> {
  const client = new Client({
    host: target.address ?? target.host,
    port: target.port,
    user: target.user,
    password: target.password ?? '',
    database: target.database,
    application_name: target.applicationName ?? 'flux',
    ...optionsOf(target, heal),
    ...(target.channelBinding === 'require' ? { enableChannelBinding: true } : {}),
    keepAlive: true,
    connectionTimeoutMillis: options.connectTimeoutMs ?? target.connectTimeoutMs ?? 10_000,
    ssl: encryption === 'plain' ? false : await tlsOptions(target),
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        EXACT_AS_TEXT.has(oid) ? String : types.getTypeParser(oid, format as 'text'),
    } as never,
  });
  const reading = boundMessages(client, options.maxBytes);
  // Without a listener, a connection that breaks while idle would end the whole process.
  let lost: Error | undefined;
  client.on('error', (error) => {
    lost ??= error;
  });
  let hasAnswered = false;
  wireOf(client).stream.once('data', () => {
    hasAnswered = true;
  });
  const drop = () => wireOf(client).stream.destroy();
  const { withinMs } = options;
  const late = withinMs === undefined ? undefined : setTimeout(() => wireOf(client).stream.destroy(tooLate(target, withinMs)), withinMs);
  let refused: FluxError | undefined;
  if (target.channelBinding === 'require')
    requireChannelBinding(client.connection as unknown as NodeJS.EventEmitter, (error) => {
      refused = error;
      drop();
    });
  options.signal?.addEventListener('abort', drop, { once: true });
  let given: SessionSettings;
  try {
    await client.connect();
    const stuck = setTimeout(() => wireOf(client).stream.destroy(tooLate(target, BEGIN_MS)), BEGIN_MS);
    given = await applyKnownSettings(client, target, options).finally(() => clearTimeout(stuck));
  } catch (error) {
    // `end` of a client that never connected waits for an event that may have passed; only its socket has to be closed.
    options.signal?.removeEventListener('abort', drop);
    clearTimeout(late);
    drop();
    if (refused !== undefined) return { error: refused, otherMayWork: false };
    const next = healedSettings(sqlStateOf(error) === undefined ? (lost ?? error) : error, heal);
    if (next !== undefined) return await openClient(target, options, encryption, next);
    return { error, otherMayWork: hasAnswered };
  }
  return {
    client,
    reading,
    given: { ...heal, ...given },
    async close() {
      options.signal?.removeEventListener('abort', drop);
      clearTimeout(late);
      // A connection that broke in the middle of a statement may never report its end, so the wait is limited.
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          drop();
          resolve();
        }, CLOSE_MS);
        void client
          .end()
          .catch(() => undefined)
          .then(() => {
            clearTimeout(timer);
            resolve();
          });
      });
    },
  };
}

function optionsOf(target: PostgresTarget, heal: SessionSettings): { readonly options?: string } {
  const { PGOPTIONS } = libpqOptions(heal, target.options);
  return PGOPTIONS === undefined ? {} : { options: PGOPTIONS };
}

function toSession({ client, reading, given, close }: OpenedClient): PostgresSession {
  return {
    given,
    backendPid: (client as unknown as { processID: number }).processID,
    query: async (sql, parameters, bound) => {
      const ask = () => client.query(sql, parameters as unknown[]);
      return (await (bound === undefined ? ask() : readingWith(reading, { bound }, ask))).rows;
    },
    run: (sql, onStatement) => readingWith(reading, { rows: 'discarded' }, () => runText(client, sql, onStatement)),
    copyOut: (sql, onRow) => readingWith(reading, { rows: 'discarded' }, () => copyText(client, sql, onRow)),
    onNotice: (listener) => void client.on('notice', (notice) => listener(notice.message ?? '', notice.severity ?? '', notice.code ?? '')),
    onEnd: (listener) => void client.once('end', listener),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** The socket of a client, which the driver's types do not declare; the TLS handshake replaces it. */
function wireOf(client: Client): { readonly stream: Socket } {
  return (client as unknown as { readonly connection: { readonly stream: Socket } }).connection;
}

/** The SQLSTATE of an error of the server, undefined for any other error. Source: the manual, appendix A. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined;
}

/** The server's error about a failed statement. `position` counts characters from 1. */
export function serverErrorOf(error: unknown): DatabaseError | undefined {
  return error instanceof DatabaseError ? error : undefined;
}

// date, timestamp, timestamptz and interval stay text too: a JavaScript Date has no microseconds.
const EXACT_AS_TEXT = new Set([20, 1700, 1082, 1114, 1184, 1186]);

async function readingWith<T>(reading: BoundedReading, rules: Partial<BoundedReading>, work: () => Promise<T>): Promise<T> {
  Object.assign(reading, rules);
  try {
    return await work();
  } finally {
    Object.assign(reading, { rows: 'collected', bound: undefined } satisfies BoundedReading);
  }
}

async function runText(client: Client, sql: string, onStatement: () => void = () => undefined): Promise<void> {
  client.connection.on('commandComplete', onStatement);
  try {
    await new Promise<void>((resolve, reject) => {
      const query = new Query(sql);
      // With this listener and no callback, the driver does not collect rows.
      query.on('row', () => undefined);
      query.on('error', reject);
      query.on('end', () => resolve());
      client.query(query);
    });
  } finally {
    client.connection.off('commandComplete', onStatement);
  }
}

async function copyText(client: Client, sql: string, onRow: (row: Uint8Array) => void): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const query = new Query(sql);
    // The driver's types do not declare it. The server sends each row in a message of its own.
    Object.assign(query, { handleCopyData: ({ chunk }: { readonly chunk: Uint8Array }) => onRow(chunk) });
    query.on('error', reject);
    query.on('end', () => resolve());
    client.query(query);
  });
}

/** Among the details of an error: there is no session. */
export const NOT_CONNECTED = { connected: false } as const;

function tooLate(target: PostgresTarget, withinMs: number): FluxError {
  return new FluxError('instance_unavailable', `Postgres at ${placeOf(target).shown} has not answered within ${withinMs / 1000} s.`, {
    hint: 'Look at that server: whether it is a Postgres, whether it is overloaded, and whether a lock on its system catalogs is held.',
    details: { connection: 'ended' },
  });
}

/** Where a server is. The path of a socket is for operators alone: it tells where Flux keeps its data, and the names of its instances. */
function placeOf({ host, port }: PostgresTarget): { readonly shown: string; readonly forOperators: object } {
  if (!host.startsWith('/')) return { shown: `${host}:${port}`, forOperators: {} };
  return { shown: `a Unix socket, port ${port},`, forOperators: { forOperators: { reason: `The socket is in ${host}.` } } };
}

function unavailable(target: PostgresTarget, error: unknown): FluxError {
  if (isFluxError(error) && error.details.connection !== 'ended') return error;
  const said = error instanceof Error ? error.message || (error as NodeJS.ErrnoException).code : String(error);
  const place = placeOf(target);
  const reason = target.host.startsWith('/') ? said?.replaceAll(`${target.host}/`, '') : said;
  return new FluxError('instance_unavailable', `Postgres at ${place.shown} does not accept a connection as ${target.user}: ${reason}`, {
    hint: 'See `flux list` for the state of the instance, and its log in the data folder.',
    details: { sqlState: sqlStateOf(error), ...NOT_CONNECTED, ...place.forOperators },
    cause: error,
  });
}
