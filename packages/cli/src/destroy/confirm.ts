import { FluxError } from '@flux/contract/errors';
import type { GateAction } from '@flux/contract/gate';
import { refusalText } from '@flux/contract/refusal';
import type { AskContext, CallContext, Context } from '../context.ts';
import type { ResolvedProject } from '../project/resolve.ts';
import { askText, canAsk } from '../prompt.ts';
import { askGate } from './gate.ts';
import { describeStake } from './stake.ts';

/** Options of every command that destroys. */
export type DestroyOptions = { yes?: boolean; confirm?: string } & OverrideOptions;

/** Options of every command that can skip the check of the newest backup. */
export type OverrideOptions = { skipBackupCheck?: boolean | undefined; reason?: string | undefined };

/** The options behind `DestroyOptions`. */
export const DESTROY_OPTIONS = [
  { flags: '-y, --yes', summary: 'do not ask' },
  { flags: '--confirm <name>', summary: 'the name, instead of typing it when asked' },
  { flags: '--skip-backup-check', summary: 'continue without a restore-verified backup (dangerous; audited)' },
  { flags: '--reason <text>', summary: 'why the check is skipped; asked for on a terminal, required with --no-input' },
] as const;

/**
 * Requires a confirmation: --yes, --confirm with the right name, or the name typed at a prompt.
 *
 * @throws FluxError `usage` when it is not confirmed
 */
export async function confirmByName(context: AskContext, name: string, what: string, options: DestroyOptions): Promise<void> {
  if (options.confirm !== undefined) {
    if (options.confirm === name) return;
    throw new FluxError('usage', `--confirm says ${JSON.stringify(options.confirm)}, not ${name}. Nothing was changed.`, {
      hint: `Pass --confirm ${name}.`,
    });
  }
  if (options.yes === true) return;
  const typed = await askText(context, `${what} Type ${name} to continue`, `Pass --confirm ${name}, or --yes.`);
  if (typed !== name)
    throw new FluxError('usage', `The name does not match ${name}. Nothing was changed.`, { hint: 'Run the command again.' });
}

/** What a command is about to destroy. */
export interface Destruction {
  readonly action: Exclude<GateAction, 'push'>;
  /** With `delete_last_verified`: the backup that is to be deleted, an id or `latest`. */
  readonly backup?: string;
  /** A sentence for the prompt: `This empties bloom-atelier (0a1b2c3).` */
  readonly what: string;
}

/**
 * Precedes every destructive request: shows on stderr how old the proof is and what has changed since, and requires a
 * confirmation. Nobody has to type a name only to be refused by the gate; with --yes or --confirm, the request itself reports
 * the refusal.
 *
 * @throws FluxError `usage` when it is not confirmed; `gate_refused`
 */
export async function confirmDestruction(
  context: CallContext & AskContext & Pick<Context, 'now'>,
  project: ResolvedProject,
  { action, backup, what }: Destruction,
  options: DestroyOptions,
): Promise<void> {
  const isConfirmed = options.confirm !== undefined || options.yes === true;
  // With a wrong name there is no need to ask the gate.
  if (isConfirmed) await confirmByName(context, project.slug, what, options);
  const reply = await askGate(context, project, action, backup);
  if (!('unknown' in reply) && reply.decision === 'refused' && options.skipBackupCheck !== true) {
    if (isConfirmed) return;
    const { tier, label, command } = reply;
    throw new FluxError('gate_refused', refusalText(reply), { details: { tier, label, command } });
  }
  for (const line of describeStake(reply, context.now())) context.output.note(line);
  if (!isConfirmed) await confirmByName(context, project.slug, what, options);
}

/** The members of a request that override the gate; none without an override. */
export interface Override {
  readonly skipBackupCheck?: true;
  readonly reason?: string;
}

/**
 * The members of the request that override the gate, with a warning when it is overridden. The reason is asked for on a terminal.
 *
 * @throws FluxError `usage` without a reason when no prompt may be shown, or when none is entered
 */
export async function readOverride(context: AskContext & Pick<Context, 'output'>, options: OverrideOptions): Promise<Override> {
  if (options.skipBackupCheck !== true) return {};
  if (options.reason === undefined && !context.mayAsk) {
    throw new FluxError('usage', '--skip-backup-check with --no-input needs --reason: it is recorded in the audit log.', {
      hint: 'Pass --reason "<why>".',
    });
  }
  context.output.warn(
    '--skip-backup-check: the data destroyed now may be lost for good, because there is no proven backup of it. This is audited.',
  );
  const reason = options.reason ?? (await askReason(context));
  return { skipBackupCheck: true, ...(reason === undefined ? {} : { reason }) };
}

/** Undefined where nobody can be asked: a script that may skip the check need not explain itself. */
async function askReason(context: AskContext): Promise<string | undefined> {
  if (!canAsk(context)) return undefined;
  const reason = await askText(context, 'Why is the check skipped? The answer is recorded in the audit log', 'Pass --reason "<why>".');
  if (reason !== '') return reason;
  throw new FluxError('usage', 'No reason was entered. Nothing was changed.', { hint: 'Pass --reason "<why>".' });
}
