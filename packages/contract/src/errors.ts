/** What clients see of an error code: HTTP status, exit code of `flux`, and whether the same call may succeed later. */
export interface ErrorKind {
  readonly status: number;
  readonly exitCode: number;
  readonly retry: 'no' | 'later';
  readonly meaning: string;
}

const kind = (status: number, exitCode: number, retry: ErrorKind['retry'], meaning: string): ErrorKind => ({
  status,
  exitCode,
  retry,
  meaning,
});

/** The closed table of all error codes. `docs/errors.md` is generated from it. */
export const ERROR_KINDS = {
  usage: kind(400, 2, 'no', 'The command line is incomplete or contradicts itself.'),
  invalid_request: kind(400, 2, 'no', 'The request is invalid.'),
  project_mismatch: kind(400, 2, 'no', 'The slug and the hash name different projects; nothing was done.'),
  sql_failed: kind(400, 1, 'no', 'Postgres rejected a statement of a push; nothing in that file was applied.'),
  sql_not_allowed: kind(
    400,
    1,
    'no',
    'The SQL contains something that cannot run inside one transaction, such as COMMIT or a psql command.',
  ),
  migration_conflict: kind(409, 1, 'no', 'A migration was edited after it had been applied.'),
  not_authenticated: kind(401, 5, 'no', 'The token is missing, unknown, revoked or expired.'),
  token_malformed: kind(401, 5, 'no', 'The token is mistyped: its check digits do not match.'),
  forbidden: kind(403, 5, 'no', 'The token is valid, but its access level or its list of projects does not allow this.'),
  quota_reached: kind(403, 5, 'later', 'The project has used up what it may: disk, backups or operations of a day.'),
  not_found: kind(404, 4, 'no', 'The requested resource does not exist.'),
  project_not_found: kind(404, 4, 'no', 'You have no project with this name or hash.'),
  backup_not_found: kind(404, 4, 'no', 'This project has no such backup.'),
  operation_not_found: kind(404, 4, 'no', 'There is no such operation.'),
  name_taken: kind(409, 1, 'no', 'Another project has this name.'),
  busy: kind(409, 8, 'later', 'Another operation of this project is already running.'),
  not_ready: kind(409, 1, 'later', 'The current state does not allow this.'),
  instance_stopped: kind(409, 1, 'no', 'The Postgres instance of this project is stopped.'),
  artifact_gone: kind(410, 4, 'no', 'The backup is still listed, but its file no longer exists.'),
  gate_refused: kind(412, 6, 'no', 'The newest backup is not restore-verified, so destructive actions are blocked.'),
  payload_too_large: kind(413, 1, 'no', 'The request is larger than the control plane accepts.'),
  range_not_satisfiable: kind(416, 1, 'no', 'The requested range is outside the artifact.'),
  verification_failed: kind(422, 7, 'no', 'Restoring the artifact does not reproduce the original data.'),
  artifact_invalid: kind(422, 1, 'no', 'The artifact is not the one that was written: it is truncated, changed or unreadable.'),
  misdirected: kind(421, 2, 'no', 'The control plane does not answer to the name that the request was sent to.'),
  rate_limited: kind(429, 1, 'later', 'Too many requests.'),
  internal: kind(500, 1, 'later', 'An unexpected error: a defect in Flux.'),
  source_unreadable: kind(422, 1, 'no', 'The login may not read everything in the database, so that no backup of it can be made.'),
  dump_failed: kind(500, 1, 'later', 'pg_dump did not finish; no backup was created.'),
  verification_inconclusive: kind(503, 10, 'later', 'The verification could not be completed; it says nothing about the artifact.'),
  interrupted: kind(503, 1, 'later', 'The control plane stopped while this was running.'),
  stopping: kind(503, 9, 'later', 'The control plane is stopping and takes no new work.'),
  cancelled: kind(409, 1, 'no', 'Somebody cancelled the operation.'),
  instance_unavailable: kind(503, 1, 'later', 'A required Postgres server does not answer.'),
  catalog_unavailable: kind(503, 1, 'later', 'The catalog database does not answer.'),
  postgres_missing: kind(503, 1, 'no', 'The Postgres programs of the required major version are not installed.'),
  postgres_failed: kind(500, 1, 'later', 'A Postgres program failed.'),
  sandbox_unavailable: kind(503, 10, 'no', 'No sandbox for a restore can be created on this host.'),
  volume_full: kind(507, 1, 'later', 'The file system is full.'),
  volume_unusable: kind(500, 1, 'later', 'A file or folder of the control plane cannot be read or written.'),
  config_invalid: kind(500, 2, 'no', 'The settings of the control plane are invalid.'),
  catalog_newer: kind(503, 1, 'no', 'A newer Flux has written the catalog, so this one can only read it, or not even that.'),
  catalog_outdated: kind(500, 1, 'no', 'The catalog is older than what it describes; `flux-server reconcile` brings it up to date.'),
  data_folder_locked: kind(500, 1, 'no', 'Another control plane uses this data folder.'),
  port_taken: kind(500, 1, 'no', 'The address to listen on is in use.'),
  unreachable: kind(503, 9, 'later', 'The control plane does not answer.'),
  lost_contact: kind(503, 9, 'later', 'Contact was lost, or the operation is still running.'),
  download_failed: kind(500, 1, 'later', 'The downloaded bytes are not the artifact.'),
  local_file: kind(500, 1, 'no', 'A file on this machine cannot be read or written.'),
  interrupted_by_user: kind(499, 130, 'no', 'Ctrl-C.'),
} as const satisfies Record<string, ErrorKind>;

/** Every error code. */
export type ErrorCode = keyof typeof ERROR_KINDS;

/** What an error carries besides its code and its message. */
export interface ErrorFacts {
  /** One sentence with the command that helps. */
  readonly hint?: string | undefined;
  /** Machine-readable facts; never anything secret. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  readonly cause?: unknown;
}

/**
 * Flux could not answer. A legitimate answer (a verdict, a refusal of the gate) is a value, not an
 * error.
 */
export class FluxError extends Error {
  override readonly name = 'FluxError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.hint = facts.hint;
    this.details = facts.details ?? {};
  }

  get status(): number {
    return ERROR_KINDS[this.code].status;
  }

  get exitCode(): number {
    return ERROR_KINDS[this.code].exitCode;
  }
}

/** Whether a thrown value is a FluxError; optionally, with this code. Works across bundles, where `instanceof` may not. */
export function isFluxError(error: unknown, code?: ErrorCode): error is FluxError {
  if (!(error instanceof Error) || error.name !== 'FluxError') return false;
  return code === undefined || (error as FluxError).code === code;
}

/** Whether something may have been done although it failed: nobody may act as if it was not. */
export function hasUnknownOutcome(error: unknown): boolean {
  return isFluxError(error) && error.details.outcome === 'unknown';
}

/** Whether a text is an error code. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_KINDS, text);
}

/** The body of every error answer: RFC 9457 problem details, plus `error` for clients that read only that. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** The full text for people: sentence, hint and detail lines. */
  readonly error: string;
  readonly code: ErrorCode;
  readonly hint?: string | undefined;
  readonly requestId?: string | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/** Renders an error as a problem. */
export function toProblem(error: FluxError, requestId?: string): Problem {
  return {
    type: `urn:flux:error:${error.code}`,
    title: ERROR_KINDS[error.code].meaning,
    status: error.status,
    detail: error.message,
    error: error.hint === undefined ? error.message : `${error.message}\n${error.hint}`,
    code: error.code,
    hint: error.hint,
    requestId,
    details: Object.keys(error.details).length === 0 ? undefined : error.details,
  };
}

/** The inverse of `toProblem`, for clients. */
export function fromProblem(problem: Problem): FluxError {
  return new FluxError(problem.code, problem.detail, { hint: problem.hint, details: problem.details });
}
