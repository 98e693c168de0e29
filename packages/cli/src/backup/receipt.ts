import { createHash } from 'node:crypto';
import { displaySafe } from '@flux/contract/display';
import { FluxError } from '@flux/contract/errors';
import { isUuid } from '@flux/contract/ids';
import type { ReceiptEnvelope, ReceiptStatement } from '@flux/contract/receipt';
import { BACKUP_OPTIONS, type BackupOptions, defineCommand, PROJECT_ARGUMENT, PROJECT_OPTIONS, type ProjectOptions } from '../command.ts';
import { checkTarget } from '../download/file.ts';
import { resolveProject } from '../project/resolve.ts';
import { describeStatement } from '../receipt/receipt-text.ts';
import { writeFileAtomically } from '../settings/atomic-file.ts';
import { completeBackup, selectBackup } from './select.ts';

/** `flux backup receipt` */
export const command = defineCommand<ProjectOptions & BackupOptions & { verification?: string; output?: string }>({
  arguments: PROJECT_ARGUMENT,
  options: [
    ...PROJECT_OPTIONS,
    ...BACKUP_OPTIONS,
    { flags: '--verification <id>', summary: 'the receipt of this verification (default: the newest of the backup)' },
    { flags: '-o, --output <path>', summary: 'file to write (default: standard output)' },
  ],
  examples: ['flux backup receipt --latest > ./bloom.receipt.json', 'flux backup receipt --latest -o ./bloom.receipt.json'],
  about:
    'Prints the signed record of the newest verification: a DSSE envelope over an in-toto statement. A summary goes to stderr.\n' +
    'Check it anywhere, without the control plane: flux receipt check <file> --key <public key>.',
  async run(context, { latest, id, verification, output: path, ...options }, [slug]) {
    const { output } = context;
    const named = selectBackup({ latest, id }, 'receipt');
    if (verification !== undefined && !isUuid(verification.toLowerCase())) {
      throw new FluxError('usage', `${JSON.stringify(verification)} is not the id of a verification.`, { hint: 'See `flux backup show`.' });
    }
    const target = path === undefined || path === '-' ? null : await checkTarget(path);
    const project = await resolveProject(context, options, slug);
    const backupId = await completeBackup(context, project, named);
    const envelope = await context.client().call('getReceipt', {
      params: { hash: project.hash, id: backupId },
      query: { verification: verification?.toLowerCase() },
    });
    const text = JSON.stringify(envelope, null, 2);
    if (target === null) output.answer([text], envelope);
    else {
      await writeFileAtomically(target, `${text}\n`, 0o644);
      output.answer([], { path: target, envelope });
    }
    for (const line of describeEnvelope(envelope, context.now())) output.note(line);
    if (target !== null) output.note(`Written to ${displaySafe(target)}.`);
    return 0;
  },
});

function describeEnvelope({ payload }: ReceiptEnvelope, now: Date): string[] {
  const bytes = Buffer.from(payload, 'base64');
  const statement = JSON.parse(bytes.toString('utf8')) as ReceiptStatement;
  return describeStatement(statement, createHash('sha256').update(bytes).digest('hex'), now);
}
