import { displaySafe } from '@flux/contract/display';
import type { ProcessResult } from '../system/process.ts';
import { withoutStatements } from './without-statements.ts';

/** The outcome of a pg_restore. `unknown` proves nothing about the archive: it was stopped from outside. */
export type RestoreOutcome =
  | { readonly kind: 'success'; readonly warnings: readonly string[] }
  | { readonly kind: 'failed'; readonly message: string; readonly output: string }
  | { readonly kind: 'unknown'; readonly message: string; readonly output: string };

export interface RestoreRequest {
  readonly kind: 'project_db' | 'tenant_export';
  /** Parallel jobs; more than one needs a seekable file. */
  readonly jobs: number;
  /** `go on`: whoever calls this compares what is there afterwards. By default it stops. */
  readonly afterError?: 'stop' | 'go on' | undefined;
}

/**
 * The options of pg_restore for a verification; the caller adds target and archive.
 *
 * Owners and grants of a whole database are restored, and compared afterwards: the roles exist by then, made by
 * `renderBefore`. A tenant export has neither in its archive; `--no-owner --no-acl` says so to a pg_restore
 * that might otherwise look for them. Tablespaces belong to the host, not to the data.
 */
export function restoreArguments(request: RestoreRequest): string[] {
  return [
    ...(request.afterError === 'go on' ? [] : ['--exit-on-error']),
    '--no-password',
    '--no-tablespaces',
    ...(request.jobs > 1 ? [`--jobs=${request.jobs}`] : []),
    ...(request.kind === 'tenant_export' ? ['--no-owner', '--no-acl'] : []),
  ];
}

/**
 * Whether nothing failed in a pg_restore but the filling of materialized views. It does not say that they may be empty: the comparison
 * decides that, and everything else is compared as well, so that a text which only looks like pg_restore's own hides nothing.
 */
export function onlyViewsFailed({ exitCode, stderr }: ProcessResult): boolean {
  if (exitCode !== 1) return false;
  const lines = stderr.split('\n');
  const errors = lines.filter((line) => line.startsWith('pg_restore: error: ')).length;
  const ofViews = lines.filter((line) => line.startsWith('Command was: REFRESH MATERIALIZED VIEW ')).length;
  return errors > 0 && errors === ofViews;
}

const LAST_LINES = 40;

/**
 * What the end of a pg_restore proves. Only one that exited normally proves anything: one that was ended by a signal, or that lost its
 * connection to the server, may have been stopped by a limit, a crash or by us.
 */
export function interpretRestore(result: ProcessResult): RestoreOutcome {
  const lines = withoutStatements(result.stderr).filter((line) => line.trim() !== '');
  // The owner of the dumped database may have influenced this text; it must not control the terminal that shows it.
  const output = lines.slice(-LAST_LINES).map(safe).join('\n');
  if (result.signal !== null || result.exitCode === null)
    return { kind: 'unknown', message: `pg_restore was ended by signal ${result.signal ?? 'unknown'}.`, output };
  if (result.exitCode === 0) return { kind: 'success', warnings: lines };
  const said = safe(lines.find((line) => /error:|FATAL:|PANIC:/.test(line)) ?? lines.at(-1) ?? 'it gave no reason');
  // 128 and above: a shell or sandbox reports that its child was ended by a signal; 126 and 127: that it was not started.
  if (result.exitCode >= 126) return { kind: 'unknown', message: `pg_restore was stopped (status ${result.exitCode}): ${said}`, output };
  if (lines.some((line) => OUTSIDE.test(line)))
    return { kind: 'unknown', message: `The server went away while pg_restore was running: ${said}`, output };
  return { kind: 'failed', message: `pg_restore ended with status ${result.exitCode}: ${said}`, output };
}

function safe(line: string): string {
  return displaySafe(line.replaceAll('\t', '    '));
}

/**
 * Messages of failures that the archive did not cause. They are texts of another program, which reports nothing better; a false match
 * costs an inconclusive verification, never a wrong verdict.
 */
const OUTSIDE = new RegExp(
  [
    // The sandbox itself reports this: unshare of util-linux 2.38 ends with 1 and such a line when its child was killed.
    '^(unshare|setpriv|bwrap): ',
    'server closed the connection unexpectedly',
    'terminating connection due to',
    'the database system is (starting up|shutting down|in recovery mode)',
    'connection to server .* failed',
    'could not (connect|fork)',
    'No space left on device',
    'out of memory',
    'Cannot allocate memory',
    'Disk quota exceeded',
    'canceling statement due to user request',
  ].join('|'),
);
