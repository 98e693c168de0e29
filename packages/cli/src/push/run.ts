import { FluxError, isFluxError } from '@flux/contract/errors';
import type { PushAnswer, PushRequest } from '@flux/contract/project';
import { readRunnable } from '@flux/contract/sql/runnable';
import type { CallContext } from '../context.ts';
import type { Override } from '../destroy/confirm.ts';
import { formatCounted } from '../output/quantity.ts';
import type { ResolvedProject } from '../project/resolve.ts';
import type { SqlFile } from './files.ts';
import type { PlannedFile } from './plan.ts';
import { locateSqlError, type SentFile } from './sql-error.ts';

/** SQLSTATE of a new enum value that is used in the transaction that added it. */
const ENUM_VALUE_TOO_NEW = '55P04';

/** The outcome of one file. */
export interface PushedFile {
  readonly filename: string;
  readonly version: string;
  readonly mode: SqlFile['mode'];
  readonly checksum: string;
  readonly result: 'applied' | 'skipped' | 'would apply';
  readonly statements: number | null;
}

/** How to run a plan. */
export interface PushChoices {
  readonly dryRun: boolean;
  readonly force: boolean;
  /** Of the policy of the project. */
  readonly override: Override;
}

/**
 * Runs the files of a plan one after the other, each in its own transaction, and prints a line as each begins and ends.
 *
 * @throws FluxError the first that fails, with its place; the files before it stay applied
 */
export async function runPush(
  context: CallContext,
  project: ResolvedProject,
  plan: readonly PlannedFile[],
  choices: PushChoices,
): Promise<PushedFile[]> {
  const pending = plan.filter(({ action }) => action === 'run');
  // Later files build on earlier ones, which a dry run rolls back: several are tried together, in one transaction.
  if (choices.dryRun && pending.length > 1) return await tryTogether(context, project, plan);
  const done: PushedFile[] = [];
  for (const { file, action, reason } of plan) {
    if (action === 'skip') {
      context.output.line(`✓ ${file.filename} ${reason}`);
      done.push(pushed(file, 'skipped', null));
      continue;
    }
    if (file.mode !== 'raw') context.output.line(`→ ${file.filename} ${choices.dryRun ? 'trying' : 'applying'}...`);
    const answer = await send(context, project, requestFor(file, choices), [{ file, firstLine: 0 }], outcome(done, choices));
    const result = answer.skipped === true ? 'skipped' : choices.dryRun ? 'would apply' : 'applied';
    context.output.line(describe(file, result, answer));
    done.push(pushed(file, result, answer.statements));
  }
  return done;
}

async function tryTogether(context: CallContext, project: ResolvedProject, plan: readonly PlannedFile[]): Promise<PushedFile[]> {
  const sent: SentFile[] = [];
  let sql = '';
  let firstLine = 0;
  for (const { file } of plan.filter(({ action }) => action === 'run')) {
    const { sql: runs } = readRunnable(file.sql);
    const part = `${runs.trimEnd()}\n;\n`;
    sent.push({ file, firstLine });
    sql += part;
    firstLine += part.split('\n').length - 1;
  }
  context.output.line(`→ trying ${sent.map(({ file }) => file.filename).join(', ')} together...`);
  await send(context, project, { sql, dryRun: true }, sent, 'It was a dry run.').catch((error: unknown) => {
    throw isFluxError(error) && error.details.sqlState === ENUM_VALUE_TOO_NEW ? triedTooEarly(error) : error;
  });
  return plan.map(({ file, action, reason }) => {
    context.output.line(`✓ ${file.filename} ${action === 'skip' ? reason : 'would apply'}`);
    return pushed(file, action === 'skip' ? 'skipped' : 'would apply', null);
  });
}

/** A dry run of several files is one transaction, in which a new enum value cannot be used; the push itself has one for each. */
function triedTooEarly(error: FluxError): FluxError {
  const hint = `It was a dry run: nothing was changed, and this place could not be tried. A push runs each file in a transaction of its own: when the value was added by an earlier file, it is there by then.`;
  return new FluxError(error.code, error.message, { hint, details: error.details, cause: error });
}

async function send(
  context: CallContext,
  project: ResolvedProject,
  body: PushRequest,
  sent: readonly SentFile[],
  after: string,
): Promise<PushAnswer> {
  const { status } = context.output;
  // On a terminal, a status line; elsewhere the lines on stdout are enough.
  if (context.output.isAnimated) status.update(`Running ${sent.map(({ file }) => file.filename).join(', ')}`);
  try {
    const answer = await context.client().call('push', { params: { hash: project.hash }, body, idleMs: null });
    for (const warning of answer.warnings ?? []) context.output.warn(warning);
    return answer;
  } catch (error) {
    if (isFluxError(error, 'lost_contact')) throw maybeApplied(error, body, sent);
    throw locateSqlError(error, sent, after);
  } finally {
    status.clear();
  }
}

/** A push whose answer never came. What is in the ledger is not run again, so only a raw file needs a look. */
function maybeApplied(error: FluxError, body: PushRequest, sent: readonly SentFile[]): FluxError {
  const names = sent.map(({ file }) => file.filename).join(', ');
  const isLedgered = body.migration !== undefined || body.repeatable !== undefined;
  const hint =
    body.dryRun === true
      ? 'It was a dry run: nothing was changed.'
      : isLedgered
        ? `${names} may be applied or not. Run the command again when the control plane answers: what is applied is skipped.`
        : `${names} may be applied or not. Look at the database before you push it again.`;
  return new FluxError('lost_contact', error.message, { hint, cause: error });
}

function requestFor(file: SqlFile, { dryRun, force, override }: PushChoices): PushRequest {
  const { filename, checksum, sql, version } = file;
  const base = { sql, filename, ...override, ...(dryRun ? { dryRun } : {}) };
  if (file.mode === 'versioned') return { ...base, migration: { version, filename, checksum } };
  if (file.mode === 'repeatable') return { ...base, repeatable: { scriptId: version, filename, checksum, ...(force ? { force } : {}) } };
  return base;
}

function describe(file: SqlFile, result: PushedFile['result'], answer: PushAnswer): string {
  const statements = typeof answer.statements === 'number' ? ` (${formatCounted(answer.statements, 'statement')})` : '';
  if (result === 'skipped') return `✓ ${file.filename} already applied`;
  return `✓ ${file.filename} ${result}${file.mode === 'raw' ? statements : ''}`;
}

function outcome(done: readonly PushedFile[], { dryRun }: PushChoices): string {
  if (dryRun) return 'It was a dry run.';
  const applied = done.filter(({ result }) => result === 'applied');
  return applied.length === 0 ? '' : `Applied before it and not rolled back: ${applied.map(({ filename }) => filename).join(', ')}.`;
}

function pushed({ filename, version, mode, checksum }: SqlFile, result: PushedFile['result'], statements: number | null): PushedFile {
  return { filename, version, mode, checksum, result, statements };
}
