import { FluxError } from '@flux/contract/errors';
import type { Context } from '../context.ts';
import { askText } from '../prompt.ts';

/** Options of every command that destroys. */
export type DestroyOptions = { yes?: boolean; confirm?: string; skipBackupCheck?: boolean; reason?: string };

/** What `DestroyOptions` are made from. */
export const DESTROY_OPTIONS = [
  { flags: '--yes', summary: 'do not ask' },
  { flags: '--confirm <name>', summary: 'the name, instead of typing it when asked' },
  { flags: '--skip-backup-check', summary: 'go on without a proven way back (dangerous; audited)' },
  { flags: '--reason <text>', summary: 'why the check is skipped; needed with --no-input' },
] as const;

/**
 * Makes sure that somebody means it: --yes, --confirm with the right name, or the name typed at a prompt.
 *
 * @throws FluxError `usage` when it is not confirmed
 */
export async function confirmByName(context: Context, name: string, what: string, options: DestroyOptions): Promise<void> {
  if (options.confirm !== undefined) {
    if (options.confirm === name) return;
    throw new FluxError('usage', `--confirm says ${JSON.stringify(options.confirm)}, not ${name}. Nothing was done.`, {
      hint: `Pass --confirm ${name}.`,
    });
  }
  if (options.yes === true) return;
  const typed = await askText(context, `${what} Type ${name} to go on`, `Pass --confirm ${name}, or --yes.`);
  if (typed !== name) throw new FluxError('usage', `That is not ${name}. Nothing was done.`, { hint: 'Run the command again.' });
}

/**
 * What to send about the check, with a warning where it is skipped.
 *
 * @throws FluxError `usage` without a reason where nobody can be asked
 */
export function overrideQuery(context: Context, options: DestroyOptions): { readonly skipBackupCheck?: 'true'; readonly reason?: string } {
  if (options.skipBackupCheck !== true) return {};
  if (options.reason === undefined && !context.mayAsk) {
    throw new FluxError('usage', '--skip-backup-check with --no-input needs --reason: it is written into the audit.', {
      hint: 'Pass --reason "<why>".',
    });
  }
  context.output.warn(
    '--skip-backup-check: what is destroyed now may be gone for good, because no proven backup stands behind it. This is audited.',
  );
  return { skipBackupCheck: 'true', ...(options.reason === undefined ? {} : { reason: options.reason }) };
}
