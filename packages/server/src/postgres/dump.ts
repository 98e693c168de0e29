import type { Readable } from 'node:stream';
import { FluxError, isFluxError } from '@flux/contract/errors';
import { type Account, type ProcessResult, runProcess } from '../system/process.ts';
import type { Selection } from './manifest/selection/data.ts';
import { libpqOptions, type SessionSettings } from './session-settings.ts';
import { quoteIdentifier, splitQualifiedName, unquoteIdentifier } from './sql/quote.ts';
import { libpqEnvironment, type PostgresTarget, type PostgresTools } from './target.ts';
import { withoutSocketPath } from './without-statements.ts';

/** How pg_dump compresses the data of an archive. All of them are read by pg_restore of the same major. */
export type DumpCompression =
  | { readonly algorithm: 'gzip'; readonly level: number }
  | { readonly algorithm: 'zstd'; readonly level: number };

/** What to dump, how, and where to. */
export interface DumpRequest {
  /** Tools of the source's own major: an older pg_dump refuses, a newer one writes what the source's pg_restore cannot read. */
  readonly tools: PostgresTools;
  readonly target: PostgresTarget;
  /** `ExportedSnapshot.id`; the snapshot must stay open until this has returned. */
  readonly snapshotId: string;
  /** Only this schema, without owners and grants; undefined dumps the whole database with both. */
  readonly schema?: string | undefined;
  /** Only this part of the database. */
  readonly selection?: Selection | undefined;
  readonly compression: DumpCompression;
  readonly account?: Account | undefined;
  /** What `PostgresSession.given` has for the same target: the settings that pg_dump begins with. */
  readonly given?: SessionSettings | undefined;
  /** Takes the bytes of the archive; when it rejects, pg_dump is killed and its error is the one that is thrown. */
  readonly onStdout: (stdout: Readable) => Promise<void>;
  /** How long pg_dump waits for a table that another session has locked exclusively; by default 60 s. */
  readonly lockTimeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onSpawn?: ((pid: number) => void) | undefined;
  /** Memory that pg_dump may have, in bytes; absent for no limit. */
  readonly memoryBytes?: number | undefined;
}

/** The result of a successful dump. */
export interface DumpReport {
  readonly durationMs: number;
  /** The lines of pg_dump's stderr. */
  readonly warnings: readonly string[];
}

const LAST_LINES = 20;
/** How a shell says that it cannot start a program. */
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

/**
 * Runs pg_dump and passes its output to `onStdout`.
 *
 * Resolves only when pg_dump ended with status 0 **and** every byte was consumed: the end of the stream alone says nothing,
 * and half a dump is not a backup.
 *
 * @throws FluxError `dump_failed` with `details: {exitCode, signal, stderr}`; `postgres_missing`; the error of `onStdout`;
 *   the reason of `signal`
 */
export async function dumpDatabase(request: DumpRequest): Promise<DumpReport> {
  request.signal?.throwIfAborted();
  const program = request.tools.pgDump;
  if (program === undefined)
    throw new FluxError('postgres_missing', `There is no pg_dump of major version ${request.tools.major} on this host.`);
  const began = performance.now();
  const leave = await request.target.places?.take(request.signal);
  let unreadable: unknown;
  const result = await (request.tools.run ?? runProcess)(program, dumpArguments(request), {
    env: { ...libpqEnvironment(request.target), ...libpqOptions(dumpSettings(request), request.target.options), LC_ALL: 'C.UTF-8' },
    account: request.account,
    memoryBytes: request.memoryBytes,
    onStdout: (stdout) =>
      request.onStdout(stdout).catch((error: unknown) => {
        // What a failing pg_dump has written is no archive either: its own words come first.
        if (!isFluxError(error, 'artifact_invalid') || !stdout.readableEnded) throw error;
        unreadable = error;
      }),
    signal: request.signal,
    ...(request.onSpawn === undefined ? {} : { onSpawn: request.onSpawn }),
  })
    .catch((error: NodeJS.ErrnoException) => {
      request.signal?.throwIfAborted();
      throw error.syscall?.startsWith('spawn') ? cannotStart(program, error) : error;
    })
    .finally(leave);
  if (result.exitCode === NOT_FOUND || result.exitCode === NOT_EXECUTABLE)
    throw cannotStart(program, new Error(linesOf(result.stderr).at(-1) ?? `status ${result.exitCode}`));
  if (result.exitCode !== 0) {
    request.signal?.throwIfAborted();
    throw dumpFailed(result, request);
  }
  if (unreadable !== undefined) throw unreadable;
  return { durationMs: performance.now() - began, warnings: linesOf(result.stderr) };
}

/** Amounts of money stay as the source writes them, because a restore by hand reads them in the same way. */
export function dumpSettings({ given = {} }: Pick<DumpRequest, 'given'>): SessionSettings {
  return Object.fromEntries(Object.entries(given).filter(([name]) => name !== 'lc_monetary'));
}

/**
 * The options that dump a part of a database, with names instead of patterns, so that both sides mean the same. With `--extension`, pg_dump
 * leaves out all other extensions and what belongs to no schema, as with `--schema`; but `--schema=public` would write a CREATE SCHEMA public,
 * which fails in every database. plpgsql is in almost every database, and pg_dump never writes it.
 */
function selectionOptions({ schemas, otherSchemas, extensions, publications, withoutRows }: Selection): string[] {
  const chosen = extensions?.length === 0 ? schemas.map((name) => `--schema=${exactly(name)}`) : undefined;
  return [
    ...(chosen ?? otherSchemas.map((name) => `--exclude-schema=${exactly(name)}`)),
    ...(publications ? [] : ['--no-publications']),
    ...(extensions ?? []).map((name) => `--extension=${exactly(name)}`),
    ...withoutRows.map(
      (name) =>
        `--exclude-table-data=${splitQualifiedName(name)
          .map((part) => exactly(unquoteIdentifier(part)))
          .join('.')}`,
    ),
  ];
}

/** What is dumped of a database: only this schema, this selection, or all of it. */
interface DumpedScope {
  readonly schema?: string | null | undefined;
  readonly selection?: Selection | undefined;
}

/** The options of pg_dump; address and password are in its environment, never here. */
function dumpArguments(
  request: Pick<DumpRequest, 'snapshotId' | 'schema' | 'selection' | 'compression' | 'lockTimeoutMs' | 'tools'>,
): string[] {
  return [
    '--format=custom',
    `--snapshot=${request.snapshotId}`,
    `--compress=${compressionOption(request.tools.major, request.compression)}`,
    `--lock-wait-timeout=${request.lockTimeoutMs ?? 60_000}`,
    '--no-password',
    ...scopeArguments(request),
  ];
}

/** The options of pg_dump for an archive that says of every object what `dumpDatabase` has it say, and has no data. */
export function schemaDumpArguments(scope: DumpedScope): string[] {
  return ['--format=custom', '--schema-only', '--compress=0', '--no-password', ...scopeArguments(scope)];
}

function scopeArguments({ schema, selection }: DumpedScope): string[] {
  return [
    ...(schema ? [`--schema=${exactly(schema)}`, '--strict-names', '--no-owner', '--no-acl'] : []),
    ...(selection === undefined ? [] : selectionOptions(selection)),
  ];
}

/**
 * Chooses the compression that was measured to be fastest at a comparable size: zstd 3 where pg_dump can (from 16 on, when it
 * was built with it), gzip 1 elsewhere. Both beat the default of gzip 6 by far; see docs/performance.md.
 */
export async function chooseCompression(tools: PostgresTools, account?: Account): Promise<DumpCompression> {
  const zstd: DumpCompression = { algorithm: 'zstd', level: 3 };
  if (tools.major < 16 || tools.pgDump === undefined) return { algorithm: 'gzip', level: 1 };
  // pg_dump has no option that reports how it was built. It refuses an unsupported compression before it connects, so one that
  // gets as far as not finding this server can do it. Anything else that it may say means gzip, which every build can do.
  const probe = await (tools.run ?? runProcess)(
    tools.pgDump,
    ['--format=custom', `--compress=${compressionOption(tools.major, zstd)}`, '--no-password'],
    {
      env: { ...libpqEnvironment({ host: '/nonexistent-flux-probe', port: 1, user: 'probe', database: 'probe' }), LC_ALL: 'C' },
      account,
    },
  );
  return /connection to server/.test(probe.stderr) ? zstd : { algorithm: 'gzip', level: 1 };
}

function compressionOption(major: number, compression: DumpCompression): string {
  return major < 16 ? String(compression.level) : `${compression.algorithm}:${compression.level}`;
}

/** pg_dump takes a pattern, not a name; between double quotes nothing is special but the quote itself. Source: manual, psql, Patterns. */
function exactly(name: string): string {
  return quoteIdentifier(name);
}

function cannotStart(program: string, error: NodeJS.ErrnoException): FluxError {
  return new FluxError('postgres_missing', `pg_dump cannot be started: ${error.code ?? error.message}.`, {
    details: { program },
    cause: error,
  });
}

function dumpFailed(result: ProcessResult, { memoryBytes }: Pick<DumpRequest, 'memoryBytes'>): FluxError {
  const lines = linesOf(result.stderr);
  const isTooLarge = memoryBytes !== undefined && lines.some(isOwnMemory);
  const how = result.signal === null ? `with status ${result.exitCode}` : `by signal ${result.signal}`;
  const last = lines.findLast((line) => line.includes('error:')) ?? lines.at(-1) ?? 'it gave no reason';
  return new FluxError('dump_failed', `pg_dump ended ${how}: ${last}`, {
    hint: isTooLarge
      ? `Nothing was stored. pg_dump may use ${Math.floor(memoryBytes / 2 ** 20)} MiB of memory. If the host has more, have FLUX_DUMP_MEMORY raised; then try again with \`flux backup create\`.`
      : 'Nothing was stored. Fix the cause, then try again with `flux backup create`.',
    details: { exitCode: result.exitCode, signal: result.signal, stderr: lines.slice(-LAST_LINES).join('\n') },
  });
}

/** Whether a line says that the program has no memory left, and not its server: that one begins with a severity. */
function isOwnMemory(line: string): boolean {
  return /out of memory|cannot allocate memory/i.test(line) && !/(ERROR|FATAL|PANIC):/.test(line);
}

function linesOf(stderr: string): string[] {
  return stderr
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(withoutSocketPath);
}
