import { findApplied, REPEATABLE_PREFIX } from '@flux/contract/applied';
import { FluxError, hasUnknownOutcome, isFluxError } from '@flux/contract/errors';
import { type PostgresSession, serverErrorOf, sqlStateOf } from '../postgres/connect.ts';
import { type Blocker, blockedDetails, blockersInWords, howToUnblock, LOCK_NOT_AVAILABLE, watchLocks } from '../postgres/lock-watch.ts';
import { deadlineAfter } from '../system/deadline.ts';
import type { PushOutcome, ScriptRequest } from './engine.ts';
import type { Ledger, LedgerEntry } from './ledger.ts';
import type { OwnerAccess } from './owner-access.ts';
import { USUAL_OWNER, withoutUsualOwner } from './push/absent-owner.ts';
import { checkDeferred, executeScript, markSession } from './push/execute.ts';
import { blankedScript, type PreparedScript, prepareScript } from './push/prepare.ts';
import { shorten } from './push/shorten.ts';

/** For how long a push that must end waits for the answer to its COMMIT. */
const COMMIT_MS = 10_000;
const MAX_WARNINGS = 100;
/** Warnings go into the answer and into the catalog: a committed push must not fail because of the size of its warnings. */
const MAX_WARNING_CHARACTERS = 2000;
/** How long a push waits for another of the same version, and how long its statements wait for locks of other sessions. */
const WAIT = { ledger: '60s', statements: '30s' };
/** Two first pushes into a database create the ledger at the same time; the second one fails and finds it on its next attempt. */
const RACES = new Set(['23505', '42P06', '42P07']);

/**
 * Runs a file in one transaction together with its row in the ledger.
 *
 * The ledger row is claimed first: pushes of one version wait for each other and then see what was applied.
 *
 * @throws FluxError `sql_failed`, `sql_not_allowed`, `migration_conflict`, `busy`, `instance_unavailable`, also when others need its place
 */
export async function applyScript(place: OwnerAccess, request: ScriptRequest): Promise<PushOutcome> {
  const script = prepareScript(request.sql, request.filename);
  using turn = await place.observer.places?.turns.take(request.by ?? '', request.signal);
  using deadline = request.timeoutMs === undefined ? undefined : deadlineAfter(request.timeoutMs);
  const ends = [request.signal, turn?.ended, deadline?.signal].filter((signal) => signal !== undefined);
  const bounded = { ...request, signal: AbortSignal.any(ends) };
  try {
    return await attempt(place, bounded, script).catch((error) => {
      if (RACES.has(sqlStateOf(error) ?? '')) return attempt(place, bounded, script);
      throw error;
    });
  } catch (error) {
    if (hasUnknownOutcome(error)) throw error;
    if (request.signal?.aborted) throw rolledBack(script, error);
    if (turn?.ended.aborted) throw turn.ended.reason;
    if (deadline?.signal.aborted) throw tookTooLong(script, request.timeoutMs ?? 0, error);
    throw explain(script, error);
  }
}

function tookTooLong({ filename }: PreparedScript, timeoutMs: number, cause: unknown): FluxError {
  return new FluxError('sql_failed', `${filename} has not ended within ${Math.round(timeoutMs / 1000)} s, and was ended.`, {
    hint: `Nothing of ${filename} was applied. Split it into several files, or have an operator raise FLUX_PUSH_TIMEOUT of the control plane.`,
    details: { filename },
    cause,
  });
}

async function attempt(place: OwnerAccess, request: ScriptRequest, script: PreparedScript): Promise<PushOutcome> {
  // Its abort ends whatever runs, but for the COMMIT: nobody would know any more whether it was done.
  const interruption = interruptUntilCommit(request.signal);
  using _ = interruption;
  await using session = await place.open({ settings: settingsFor(place), searchPath: 'role', signal: interruption.signal });
  const warnings = [...script.warnings];
  // A file may lift the bound of its own waiting: then the connection ends.
  const blocked = new AbortController();
  await using watch = watchLocks(place.observer, {
    of: { pid: session.backendPid },
    limitMs: MAX_LOCK_WAIT_MS,
    onBlocked: (blockers) => {
      blocked.abort(lockedOut(script, blockers));
      void session.close();
    },
  });
  try {
    return await runInSession(place, request, script, { session, warnings, interruption });
  } catch (error) {
    if (blocked.signal.aborted && !hasUnknownOutcome(error)) throw blocked.signal.reason;
    throw isFluxError(error, 'sql_failed') && error.details.sqlState === LOCK_NOT_AVAILABLE
      ? namingBlockers(error, watch.lastBlockers())
      : error;
  }
}

/** A push that waits for one lock longer than this is ended, whatever it has set. */
const MAX_LOCK_WAIT_MS = 90_000;

function lockedOut({ filename }: PreparedScript, blockers: readonly Blocker[]): FluxError {
  return new FluxError('sql_failed', `${filename} waited for a lock for ${MAX_LOCK_WAIT_MS / 1000} seconds. ${blockersInWords(blockers)}`, {
    hint: `Nothing of ${filename} was applied. ${howToUnblock(blockers)}; then push again.`,
    details: { filename, ...blockedDetails(blockers) },
  });
}

function namingBlockers(error: FluxError, blockers: readonly Blocker[]): FluxError {
  if (blockers.length === 0) return error;
  return new FluxError('sql_failed', `${error.message}. ${blockersInWords(blockers)}`, {
    hint: error.hint,
    details: { ...error.details, blockers },
    cause: error,
  });
}

interface PushSession {
  readonly session: PostgresSession;
  readonly warnings: string[];
  readonly interruption: ReturnType<typeof interruptUntilCommit>;
}

async function runInSession(
  place: OwnerAccess,
  request: ScriptRequest,
  script: PreparedScript,
  { session, warnings, interruption }: PushSession,
): Promise<PushOutcome> {
  let leftOut = 0;
  await endWithClient(session);
  await session.run('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
  const mark = await markSession(session);
  const claim = await claimEntry(session, place.ledger, request);
  if (claim.skipped) {
    await session.run('ROLLBACK');
    return { ...claim, statements: 0, warnings };
  }
  if (!request.dryRun) await request.beforeRun?.();
  await session.query(`select pg_catalog.set_config('lock_timeout', $1, false)`, [WAIT.statements]);
  session.onNotice((message, severity, sqlState) => {
    const isWarning = severity === 'WARNING' || sqlState.startsWith('01');
    if (!isWarning) return;
    if (warnings.length < MAX_WARNINGS) warnings.push(shorten(message, MAX_WARNING_CHARACTERS));
    else leftOut += 1;
  });
  const adapted = await adaptRoles(session, script, warnings);
  await executeScript(session, adapted, mark);
  await checkDeferred(session, script);
  if (request.dryRun) await session.run('ROLLBACK');
  else {
    interruption.beginCommit();
    await commit(session, script);
  }
  if (leftOut > 0) warnings.push(`${leftOut} more warnings of ${script.filename} are not shown.`);
  return { ...claim, statements: script.statements.length, warnings };
}

/** Other people's SQL names the owner of their database, `postgres`, whom a server of Flux may not have. */
async function adaptRoles(session: PostgresSession, script: PreparedScript, warnings: string[]): Promise<PreparedScript> {
  const { sql, count } = withoutUsualOwner(script.sql, script.statements);
  if (count === 0) return script;
  const [found] = await session.query(`select 1 from pg_catalog.pg_roles where rolname = $1`, [USUAL_OWNER]);
  if (found !== undefined) return script;
  warnings.push(
    `${script.filename}: there is no role ${USUAL_OWNER} here; what is for it in ${count} statements was left out, because the owner of the project has it.`,
  );
  return blankedScript(script, sql);
}

/** An abort that no longer takes effect immediately once a COMMIT is sent: it then has `COMMIT_MS` to be answered. */
function interruptUntilCommit(signal: AbortSignal | undefined) {
  const controller = new AbortController();
  let isCommitting = false;
  let timer: NodeJS.Timeout | undefined;
  const abort = () => {
    if (isCommitting) timer = setTimeout(() => controller.abort(signal?.reason), COMMIT_MS);
    else controller.abort(signal?.reason);
  };
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  return {
    signal: controller.signal,
    /** @throws the reason of an abort that came before */
    beginCommit: () => {
      signal?.throwIfAborted();
      isCommitting = true;
    },
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    },
  };
}

/** Settings that a role may have been given by its owner and that would change what a push means. */
function settingsFor(place: OwnerAccess): Record<string, string> {
  return {
    role: 'none',
    standard_conforming_strings: 'on',
    client_min_messages: 'notice',
    statement_timeout: '0',
    idle_in_transaction_session_timeout: '0',
    lock_timeout: WAIT.ledger,
    ...(place.searchPath === undefined ? {} : { search_path: place.searchPath }),
  };
}

/** Has the server check the connection every two seconds, so that it ends a statement whose client is gone (from 14 on). */
async function endWithClient(session: PostgresSession): Promise<void> {
  const sql = `select pg_catalog.set_config(name, '2s', false) from pg_catalog.pg_settings where name = 'client_connection_check_interval'`;
  // Some systems cannot watch a connection; then the server notices later.
  await session.query(sql).catch(() => undefined);
}

type Claimed = Pick<PushOutcome, 'skipped' | 'previousChecksum'>;

async function claimEntry(session: PostgresSession, ledger: Ledger, request: ScriptRequest): Promise<Claimed> {
  if (request.mode === 'raw') return { skipped: false };
  const entry = entryOf(request);
  const claimed = await ledger.insertOrLock(session, entry).catch((error) => {
    if (sqlStateOf(error) !== '55P03') throw error;
    throw new FluxError('busy', `Another push to this project is already running; ${request.filename} timed out waiting for it.`, {
      hint: 'Wait until it has ended, then check with `flux migrations list`.',
      cause: error,
    });
  });
  if (request.mode === 'versioned') return claimMigration(entry, await findRow(session, ledger, entry, claimed));
  if (claimed === 'inserted') return { skipped: false };
  if (claimed.checksum === entry.checksum && !request.force) return { skipped: true, previousChecksum: claimed.checksum };
  await ledger.replace(session, entry);
  return { skipped: false, previousChecksum: claimed.checksum };
}

/** The row of a migration that was there before the claim, also one of another client or with its version spelled differently. */
async function findRow(
  session: PostgresSession,
  ledger: Ledger,
  entry: LedgerEntry,
  claimed: 'inserted' | LedgerEntry,
): Promise<LedgerEntry | undefined> {
  const rows = await ledger.list(session);
  const before = claimed === 'inserted' ? rows.filter(({ version }) => version !== entry.version) : rows;
  return findApplied(entry, before) ?? (claimed === 'inserted' ? undefined : claimed);
}

/** @throws FluxError `migration_conflict` when what was applied has other content */
function claimMigration(entry: LedgerEntry, found: LedgerEntry | undefined): Claimed {
  if (found === undefined) return { skipped: false };
  if (found.checksum === entry.checksum) return { skipped: true, previousChecksum: found.checksum };
  throw editedSince(entry, found);
}

function entryOf(request: ScriptRequest): LedgerEntry {
  const { version, checksum, filename } = request;
  if (!version || !checksum)
    throw new FluxError('invalid_request', `A ${request.mode} push of ${filename} needs a version and a checksum.`, {
      hint: 'Push it with `flux push`, which computes both.',
    });
  return { version: request.mode === 'repeatable' ? REPEATABLE_PREFIX + version : version, filename, checksum };
}

function editedSince(entry: LedgerEntry, found: LedgerEntry): FluxError {
  const renamed = found.filename === entry.filename ? '' : ` as ${found.filename}`;
  return new FluxError('migration_conflict', `${entry.filename} was applied before${renamed}, and has been edited since.`, {
    hint: 'Restore the file as it was applied, and put the change into a new migration.',
    details: {
      version: entry.version,
      appliedVersion: found.version,
      filename: entry.filename,
      appliedChecksum: found.checksum,
      checksum: entry.checksum,
    },
  });
}

async function commit(session: PostgresSession, script: PreparedScript): Promise<void> {
  try {
    await session.run('COMMIT');
  } catch (error) {
    if (serverErrorOf(error) !== undefined) throw error;
    throw new FluxError(
      'instance_unavailable',
      `The connection was lost while ${script.filename} was being committed; it may be applied or not.`,
      {
        hint: 'Check with `flux migrations list`, and in the database, before you push it again.',
        details: { outcome: 'unknown' },
        cause: error,
      },
    );
  }
}

/** The connection was dropped before the COMMIT. */
function rolledBack({ filename }: PreparedScript, cause: unknown): FluxError {
  return new FluxError('interrupted', `${filename} was interrupted.`, {
    hint: `Nothing of ${filename} was applied. Run the command again.`,
    cause,
  });
}

/** Turns what is not a FluxError yet into one: the server refused a statement of Flux, or the connection was lost. */
function explain(script: PreparedScript, error: unknown): unknown {
  if (isFluxError(error, 'postgres_failed'))
    return new FluxError('sql_failed', `${script.filename}: ${error.message}`, {
      hint: `Nothing of ${script.filename} was applied. Remove the statement that sends so many messages, or reduce them.`,
      details: { filename: script.filename },
      cause: error,
    });
  if (isFluxError(error)) return error;
  const failure = serverErrorOf(error);
  if (failure !== undefined)
    return new FluxError('sql_failed', `${script.filename}: ${shorten(failure.message)}`, {
      hint: `Nothing of ${script.filename} was applied. Flux could not begin or end its transaction, or write the ledger.`,
      details: { filename: script.filename, sqlState: failure.code },
      cause: error,
    });
  return new FluxError('instance_unavailable', `The connection was lost while ${script.filename} ran: ${(error as Error).message}`, {
    hint: `Nothing of ${script.filename} was applied; push it again when the server answers (\`flux list\`).`,
    cause: error,
  });
}
