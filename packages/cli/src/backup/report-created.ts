import type { BackupItem } from '@flux/contract/backup';
import type { CallContext } from '../context.ts';
import type { ResolvedProject } from '../project/resolve.ts';
import { adviseAfter } from './proof-advice.ts';
import { describeProof, VERDICT_EXIT_CODES } from './proof-text.ts';
import { verifyBackup } from './run-verify.ts';

/**
 * Answers with a backup that has just been made, and verifies it where that was asked for.
 *
 * @param lines what people are told of it
 * @param next is called where no verdict speaks against it: with undefined when it was not verified
 * @returns the exit code
 */
export async function reportCreated(
  context: CallContext,
  project: ResolvedProject,
  { backup, lines, verify }: { readonly backup: BackupItem; readonly lines: readonly string[]; readonly verify: boolean },
  next: (verdict: 'restorable' | undefined) => void,
): Promise<number> {
  const { output } = context;
  if (!verify) {
    output.answer(lines, { backup });
    next(undefined);
    return 0;
  }
  // People see the backup before it is verified: it exists, whatever the verdict.
  for (const line of lines) output.line(line);
  output.line('');
  const verified = await verifyBackup(context, project, backup.id);
  const { proof, label } = verified;
  output.answer(describeProof(proof, label), { backup, proof, label });
  adviseAfter(context, project, verified);
  if (proof.verdict === 'restorable') next(proof.verdict);
  return VERDICT_EXIT_CODES[proof.verdict];
}
