import { isAbsolute } from 'node:path';
import type { Difference } from '@flux/contract/backup';
import { FluxError } from '@flux/contract/errors';
import type { UserId } from '@flux/contract/ids';
import { IMPORTED_NOTE } from '@flux/contract/labels';
import type { RestoreAnswer } from '@flux/contract/restore';
import { parsePostgresUri } from '../../engines/uri.ts';
import type { Order, Task } from '../../operations/define.ts';
import { withinTime } from '../../operations/time-limit.ts';
import { askForeign, chooseForeignHost, type ForeignRules } from '../../postgres/foreign.ts';
import { type DatabaseContent, inspectDatabase } from '../../postgres/inspect-database.ts';
import type { Prerequisites } from '../../postgres/manifest/prerequisites/data.ts';
import { renderBefore } from '../../postgres/manifest/prerequisites/render.ts';
import type { Manifest } from '../../postgres/manifest.ts';
import { checkMoneyLocale } from '../../postgres/money-locale.ts';
import type { PostgresPrograms } from '../../postgres/programs.ts';
import { compareRestored, runSql } from '../../postgres/restored-database.ts';
import { splitQualifiedName, unquoteIdentifier } from '../../postgres/sql/quote.ts';
import type { PostgresTarget } from '../../postgres/target.ts';
import type { Seal } from '../../system/seal.ts';
import type { VerificationSandbox } from '../disposable-request.ts';
import type { LendingDeps } from '../reading.ts';
import { answerRestore } from './answer.ts';
import { arbiterInSandbox } from './arbiter.ts';
import { loadArchive } from './load.ts';
import { type OpenedBackup, openBackup } from './open.ts';
import { salvageArchive } from './salvage.ts';
import { inWords, restoreLimitMs } from './time-limit.ts';

/** How databases that somebody else runs are named and reached. */
export interface Destinations {
  /** Their URIs are stored sealed. */
  readonly seal: Seal;
  readonly foreign: ForeignRules;
}

/** What a restore into a database of the user's own uses. */
export interface RestoreToDeps extends LendingDeps {
  readonly sandbox: VerificationSandbox;
  readonly destinations: Destinations;
  /** The time limit of a dump is the longest of such a restore as well. */
  readonly dumps: { readonly programs: PostgresPrograms; readonly timeoutMs: number };
}

/** The destination and the options. */
export interface ToRequest {
  /** Of the database, in base64. It has a password in it, so that the catalog stores it sealed. */
  readonly sealedUri: string;
  /** Restores even if the database is not empty. */
  readonly force: boolean;
  /** First creates the roles (without login), extensions, types and functions that the archive refers to and does not contain. */
  readonly prerequisites: boolean;
  /** Restores what can be restored of a damaged backup, or one that does not restore as a whole. */
  readonly acceptUnproven: boolean;
}

/** Kinds that `--no-owner --no-acl` leaves to the role that restores. */
const LEFT_TO_TARGET = new Set(['owner', 'grant', 'default_privileges', 'database_grant']);

/** Parses the destination of a restore. @throws FluxError `invalid_request`, also for a Unix socket, which would be one of this machine */
export function parseTarget(uri: string): PostgresTarget {
  const target = parsePostgresUri(uri);
  if (![target, ...(target.otherHosts ?? [])].some(({ host }) => isAbsolute(host))) return target;
  throw new FluxError('invalid_request', 'A restore needs a host; a Unix socket would be one of the machine of the control plane.', {
    hint: 'Give a host name or an address.',
  });
}

/**
 * Restores into a database of the user's own, in one transaction: either everything is restored or the database stays as it was. An empty
 * database on a server that has not enough locks for that is filled statement by statement, and a failure leaves a part in it. Owners
 * and grants are not restored: everything belongs to the role that restores.
 *
 * @throws FluxError `not_ready` for a database that is not empty; `postgres_failed`, `instance_unavailable`
 */
export async function restoreToUri(
  deps: RestoreToDeps,
  { backupId, request, project }: Pick<Order<ToRequest>, 'backupId' | 'request' | 'project'>,
  given: Task,
): Promise<RestoreAnswer> {
  await using source = await openBackup(deps, backupId, given, request.acceptUnproven ? 'accepted' : 'refused');
  const ofSize = restoreLimitMs(deps.sandbox.restoreTimes, deps.sandbox.limits, source.manifest.server.databaseBytes);
  const limitMs = Math.min(deps.dumps.timeoutMs, FARTHER * ofSize);
  const explain = (cause: unknown) =>
    new FluxError('postgres_failed', `The restore has not ended within ${inWords(limitMs)}, and was given up.`, {
      hint: 'Look at the database, and whether its server answers. An operator can allow more with FLUX_RESTORE_TIMEOUT_MIN and FLUX_RESTORE_TIMEOUT, up to FLUX_BACKUP_TIMEOUT.',
      cause,
    });
  return await withinTime(given, limitMs, explain, (task) => restoreWithin(deps, source, { ...request, by: project.owner_id }, task));
}

/** So many times what a restore on this host has: the database may be far away. */
const FARTHER = 4;

async function restoreWithin(
  deps: RestoreToDeps,
  source: OpenedBackup,
  request: ToRequest & { readonly by: UserId },
  task: Task,
): Promise<RestoreAnswer> {
  const isEmergency = request.acceptUnproven;
  const parsed = parseTarget(deps.destinations.seal.unseal(Buffer.from(request.sealedUri, 'base64')));
  const target = await chooseForeignHost(parsed, deps.destinations.foreign, { signal: task.signal, by: request.by });
  const { manifest, row } = source;
  task.progress({ phase: 'connect', message: `Checking ${target.database} on ${target.host}` });
  const found = await askForeign(target, () => inspectDatabase(target, task.signal));
  if (found.objects > 0 && (!request.force || isEmergency))
    throw new FluxError(
      'not_ready',
      `The database ${target.database} on ${target.host} is not empty: it contains ${found.objects} objects. Nothing was changed.`,
      {
        hint: 'Create an empty one with CREATE DATABASE, or pass --force: what is in the way then makes the restore fail, and changes nothing.',
      },
    );
  const transaction = isEmergency ? 'statement by statement' : chooseTransaction(manifest, found);
  if (request.prerequisites) await askForeign(target, () => createPrerequisites(manifest.prerequisites, target, task.signal));
  const { moneyLocale } = manifest.server;
  if (moneyLocale) await askForeign(target, () => checkMoneyLocale(target, moneyLocale, task.signal));
  const views = manifest.tables.filter(({ readsOtherServers }) => readsOtherServers === true).map(({ name }) => name);
  const ofOtherServers = new Set(views.map((name) => splitQualifiedName(name).map(unquoteIdentifier).join('.')));
  const load = isEmergency ? salvageArchive : loadArchive;
  await load(
    deps.dumps.programs,
    source,
    {
      major: found.major,
      target,
      grants: 'left out',
      transaction,
      // One transaction must not fail because another server does not answer.
      omits: ({ kind, schema, tag }) => kind === 'MATERIALIZED VIEW DATA' && ofOtherServers.has(`${schema ?? ''}.${tag}`),
      moneyLocale,
    },
    {
      summary:
        transaction === 'all or nothing'
          ? `${target.database} was not restored and is as it was`
          : `${target.database} was not restored as a whole, and contains a part of the backup: drop it and create it anew`,
      hint: hintAfterFailure(row, request),
    },
    task,
  );
  // Those that stay empty are named by the comparison.
  for (const name of views) await runSql(target, `REFRESH MATERIALIZED VIEW ${name}`, task.signal);
  const compared = await compare(deps, source, target, { wasEmpty: found.objects === 0, isEmergency }, task);
  const notes = [
    ...(transaction === 'all or nothing' || isEmergency ? [] : [IN_STEPS]),
    ...(manifest.madeFrom === 'archive' ? [IMPORTED_NOTE] : []),
    ...compared.notes,
  ];
  return answerRestore('to', row.id, null, { ...compared, notes });
}

const IN_STEPS =
  'The server has not enough locks for so many objects in one transaction (max_locks_per_transaction), so the backup was restored statement by statement.';

/** Kinds of objects whose creation keeps a lock to the end of its transaction, and how many: a table has a TOAST table with an index. */
const LOCKS_OF: Readonly<Record<string, number>> = { table: 3, materialized_view: 3, sequence: 1, view: 1, index: 1, foreign_table: 1 };

/**
 * Whether the locks of one transaction fit into the server's table.
 *
 * @throws FluxError `not_ready` when they do not, and the database is not empty: what is in it must not be mixed with a part of a backup
 */
export function chooseTransaction(
  { objects }: Pick<Manifest, 'objects'>,
  found: Pick<DatabaseContent, 'objects' | 'locks'>,
): 'all or nothing' | 'statement by statement' {
  const needed = objects.reduce((sum, { kind }) => sum + (LOCKS_OF[kind] ?? 0), 0);
  if (needed <= found.locks) return 'all or nothing';
  if (found.objects === 0) return 'statement by statement';
  throw new FluxError(
    'not_ready',
    `The server has ${found.locks} locks, and the backup needs up to ${needed} in one transaction. Nothing was changed.`,
    {
      hint: 'Restore into an empty database, which is possible in several transactions, or raise max_locks_per_transaction on the server.',
    },
  );
}

/** Role attributes and memberships are not restored into a database of the user's own: its administrator decides about them. */
export function renderForTarget(prerequisites: Prerequisites): string {
  const roles = prerequisites.roles.map(({ name }) => ({ name, superuser: false, inherits: true, bypassesRls: false }));
  return renderBefore({ ...prerequisites, roles, memberships: [] });
}

/** What helps depends on what the backup is: only a tenant export refers to things that SQL of `flux backup show` creates. */
function hintAfterFailure({ kind, id }: OpenedBackup['row'], { prerequisites }: ToRequest): string {
  if (prerequisites) return 'Correct what the error names, in the database or on its server, and run the command again.';
  const first = 'If roles, extensions or types that the backup refers to are missing, pass --prerequisites';
  return kind === 'tenant_export'
    ? `${first}, or run the SQL of \`flux backup show --id ${id}\` first.`
    : `${first}, or create them first.`;
}

async function createPrerequisites(prerequisites: Prerequisites, target: PostgresTarget, signal: AbortSignal): Promise<void> {
  const { problem } = await runSql(target, renderForTarget(prerequisites), signal);
  if (problem === undefined) return;
  throw new FluxError('postgres_failed', `What the backup refers to could not be created first: ${problem}`, {
    hint: 'Create what is missing by hand, as a role that may, and leave out --prerequisites.',
  });
}

const SORTING = new Set(['encoding', 'collate', 'ctype', 'localeProvider', 'locale', 'icuRules', 'collationVersion']);

/** The database was made by somebody else: text may sort otherwise in it than at the source. */
function describeOtherServer(differences: readonly Difference[]): string[] {
  const others = differences.filter(({ kind, name }) => kind === 'server' && SORTING.has(name));
  if (others.length === 0) return [];
  const named = others.map(({ name, expected, found }) => `${name} is ${found}, at the source ${expected}`).join('; ');
  return [`Text sorts by the rules of this database, which are not those of the source: ${named}.`];
}

async function compare(
  deps: RestoreToDeps,
  source: OpenedBackup,
  target: PostgresTarget,
  found: { readonly wasEmpty: boolean; readonly isEmergency: boolean },
  task: Task,
): Promise<Pick<RestoreAnswer, 'tablesCompared' | 'rowsCompared' | 'exceptions' | 'notes' | 'lost'>> {
  const none = { tablesCompared: 0, rowsCompared: 0, exceptions: [] };
  if (!found.wasEmpty) return { ...none, notes: ['The database was not empty, so what is in it now was not compared with the backup.'] };
  try {
    const { tablesCompared, rowsCompared, differences } = await compareRestored(
      target,
      source.manifest,
      { server: 'live', arbiter: arbiterInSandbox(deps.sandbox, source, task) },
      task.progress,
      task.signal,
    );
    const differs = differences.filter(({ judgement, kind }) => judgement === 'failure' && !LEFT_TO_TARGET.has(kind));
    const exceptions = differences.filter(
      ({ judgement, kind }) => judgement !== 'failure' && kind !== 'server' && !LEFT_TO_TARGET.has(kind),
    );
    if (found.isEmergency) return { tablesCompared, rowsCompared, exceptions, lost: differs, notes: describeOtherServer(differences) };
    const notes = differs.slice(0, 20).map(({ kind, name, change }: Difference) => `${kind} ${name} is ${change}.`);
    return { tablesCompared, rowsCompared, exceptions, notes: [...notes, ...describeOtherServer(differences)] };
  } catch (error) {
    // The data is there and pg_restore has vouched for it, also when this must stop now: to call that a failure would have it restored
    // again. A role that may not read everything cannot compare it.
    const cause: unknown = task.signal.aborted ? task.signal.reason : error;
    return { ...none, notes: [`The restored data could not be compared: ${cause instanceof Error ? cause.message : String(cause)}`] };
  }
}
