import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BackupScope } from '@flux/contract/backup-scope';
import { displaySafe } from '@flux/contract/display';
import type { Finding } from '@flux/contract/doctor';
import { FluxError, isFluxError } from '@flux/contract/errors';
import { connectPostgres, type PostgresSession } from '../../postgres/connect.ts';
import { describeUnreadable, grantsFor } from '../../postgres/grants.ts';
import type { Strictness } from '../../postgres/manifest/selection/match.ts';
import { choosePart } from '../../postgres/manifest/selection/part.ts';
import type { LeftOut } from '../../postgres/manifest.ts';
import { isPoolersRefusal, poolerRefused, refusePooler } from '../../postgres/pooler.ts';
import { lookAtSource, readLogin, type SourceLook } from '../../postgres/source-look.ts';
import type { PostgresTarget, PostgresToolbox, PostgresTools } from '../../postgres/target.ts';
import { runProcess } from '../../system/process.ts';
import { versionOf } from '../running.ts';

/** All that was found at a database that Flux does not run, and about the host that is to prove its backups. */
export interface Examination extends SourceLook {
  readonly major: number;
  /** What is in no backup because the settings of the project say so. */
  readonly byChoice: readonly LeftOut[];
  /** Why the part that is wanted cannot be backed up; nothing of it was looked at then. */
  readonly impossiblePart: FluxError | undefined;
  /** The error of what is missing on this host. */
  readonly missingTools: FluxError | undefined;
  /** Extensions of the database whose files this host does not have. */
  readonly missingExtensions: readonly string[];
}

const MOST_LINES = 30;

/**
 * Looks at a database and at this host, and changes nothing.
 *
 * @param scope the part that is to be backed up; undefined for all of it
 * @throws FluxError `instance_unavailable`; `invalid_request` for a pooler
 */
export async function examineSource(
  toolbox: PostgresToolbox,
  target: PostgresTarget,
  scope: BackupScope | undefined,
  strict: Strictness,
  signal?: AbortSignal,
): Promise<Examination> {
  await using session = await open(target, signal);
  await refusePooler(session, target, signal);
  const { major } = await versionOf(session);
  const part = scope === undefined ? undefined : await choosePart(session, scope, [], strict).catch(asProblem);
  const look = isFluxError(part)
    ? { ...(await readLogin(session)), unreadable: [], leftOut: [], extensions: [] }
    : await lookAtSource(session, { schema: null, internalRoles: [], selection: part?.selection });
  const tools = findTools(toolbox, major);
  return {
    ...look,
    byChoice: part === undefined || isFluxError(part) ? [] : part.leftOut,
    impossiblePart: isFluxError(part) ? part : undefined,
    major,
    missingTools: isFluxError(tools) ? tools : undefined,
    missingExtensions: isFluxError(tools) ? [] : await withoutFiles(look.extensions, tools),
  };
}

function asProblem(error: unknown): FluxError {
  if (isFluxError(error, 'invalid_request')) return error;
  throw error;
}

async function open(target: PostgresTarget, signal: AbortSignal | undefined): Promise<PostgresSession> {
  try {
    return await connectPostgres(target, { signal, withinMs: target.lookWithinMs });
  } catch (error) {
    if (error instanceof Error && isPoolersRefusal(error.message)) throw poolerRefused(target);
    throw error;
  }
}

function findTools(toolbox: PostgresToolbox, major: number): PostgresTools | FluxError {
  try {
    return toolbox.require(major, 'both');
  } catch (error) {
    if (isFluxError(error, 'postgres_missing')) return error;
    throw error;
  }
}

/** Programs that run elsewhere have files elsewhere; then nothing is said, and a verification finds out. */
async function withoutFiles(extensions: readonly string[], { binFolder, run }: PostgresTools): Promise<readonly string[]> {
  if (run !== undefined || extensions.length === 0) return [];
  const answer = await runProcess(join(binFolder, 'pg_config'), ['--sharedir']).catch(() => undefined);
  const folder = answer?.exitCode === 0 ? answer.stdout.trim() : '';
  if (folder === '') return [];
  return extensions.filter((name) => !existsSync(join(folder, 'extension', `${name}.control`)));
}

/**
 * Refuses a database that cannot be backed up, with everything that is in the way at once.
 *
 * @throws FluxError `invalid_request` for a part that cannot be chosen; `source_unreadable` with the SQL that cures it; `postgres_missing`
 */
export function requireReadable(found: Examination): void {
  const { unreadable, missingTools, login, leftOut, missingExtensions, major } = found;
  if (found.impossiblePart !== undefined) throw found.impossiblePart;
  if (unreadable.length === 0) {
    if (missingTools !== undefined) throw missingTools;
    return;
  }
  const also = [
    ...(missingTools === undefined ? [] : [`${missingTools.message} ${missingTools.hint ?? ''}`]),
    ...(missingExtensions.length === 0 ? [] : [lackOfExtensions(missingExtensions, major)]),
    ...leftOut.map(inWords),
  ];
  const lines = [...describeUnreadable(unreadable, MOST_LINES), ...(also.length === 0 ? [] : ['Also found:', ...bounded(also)])];
  throw new FluxError('source_unreadable', `${login} may not read everything in this database, so no backup of it can be made.`, {
    hint: [
      'Run this as a superuser, or each statement as the owner of what it names, and attach it again:',
      ...bounded(grantsFor(found)).map((line) => `  ${line}`),
      'Or attach it with a login that may read everything; or leave schemas that nobody needs back out with --exclude-schema.',
    ].join('\n'),
    details: { excerpt: displaySafeLines(lines), unreadable: unreadable.length },
  });
}

function displaySafeLines(lines: readonly string[]): string {
  return lines.map((line) => `  ${displaySafe(line)}`).join('\n');
}

function bounded(lines: readonly string[]): readonly string[] {
  return lines.length <= MOST_LINES ? lines : [...lines.slice(0, MOST_LINES), `... and ${lines.length - MOST_LINES} more`];
}

/** What does not stop a backup, but its proof, or is in none; and, of a project that has been attached, what stops it by now. */
export function findingsOf(found: Examination): readonly Finding[] {
  const { unreadable, missingTools, missingExtensions, leftOut, byChoice, login, major, impossiblePart } = found;
  const finding = (severity: Finding['severity'], what: string, text: string, command: string | null = null): Finding => ({
    severity,
    what,
    found: displaySafe(text),
    command,
  });
  return [
    ...(impossiblePart === undefined ? [] : [finding('danger', 'what is backed up', inOneLine(impossiblePart), 'flux project attach')]),
    ...(unreadable.length === 0
      ? []
      : [
          finding(
            'danger',
            'rights of the login',
            `${login} may not read everything, so no backup can be made: ${describeUnreadable(unreadable, MOST_LINES).join('; ')}. As a superuser, or as the owners: ${bounded(grantsFor(found)).join(' ')}`,
          ),
        ]),
    ...(missingTools === undefined ? [] : [finding('danger', 'Postgres programs', `${missingTools.message} ${missingTools.hint ?? ''}`)]),
    ...(missingExtensions.length === 0 ? [] : [finding('warning', 'extensions', lackOfExtensions(missingExtensions, major))]),
    ...leftOut.slice(0, MOST_LINES).map((one) => finding('warning', 'in no backup', inWords(one))),
    ...byChoice.slice(0, MOST_LINES).map((one) => finding('fine', 'left out by choice', inWords(one))),
    ...(byChoice.length <= MOST_LINES ? [] : [finding('fine', 'left out by choice', `and ${byChoice.length - MOST_LINES} more`)]),
  ];
}

function inOneLine({ message, hint = '', details }: FluxError): string {
  const lines = typeof details.excerpt === 'string' ? details.excerpt.split('\n').map((line) => line.trim()) : [];
  return [
    message.replace(/\.$/, lines.length === 0 ? '.' : ':'),
    lines.length === 0 ? '' : `${lines.join('; ')}.`,
    hint.replaceAll('\n', ' '),
  ]
    .filter(Boolean)
    .join(' ');
}

function inWords({ kind, name, reason }: LeftOut): string {
  return `${kind.replaceAll('_', ' ')} ${name}: ${reason}`;
}

function lackOfExtensions(names: readonly string[], major: number): string {
  return `This host lacks ${names.join(', ')} for PostgreSQL ${major}: backups can be made, and no verification can tell whether they restore until the packages are installed.`;
}
