import type { CallContext } from '../context.ts';
import type { ResolvedProject } from '../project/resolve.ts';
import type { Verified } from './run-verify.ts';

/** Says what to do after a verdict that is not good. Nobody is told to repeat what will fail again. */
export function adviseAfter({ output }: Pick<CallContext, 'output'>, { flags }: ResolvedProject, { proof, origin }: Verified): void {
  if (proof.verdict === 'inconclusive')
    output.next(`flux backup verify ${flags} --id ${proof.backupId}`, 'When the cause is fixed, try again:');
  if (proof.verdict !== 'failed') return;
  if (origin === 'imported') {
    const why =
      proof.failedBy === 'source'
        ? 'Its file is as it arrived, so importing it again ends in the same way. Make another archive with `pg_dump -Fc`, and import that:'
        : 'Import the file again from where it came from:';
    output.next(`flux backup import <file> ${flags} --verify`, `Do not rely on this backup. ${why}`);
    return;
  }
  const another = `flux backup create ${flags} --verify`;
  if (proof.failedBy === 'source')
    output.next(
      another,
      'Do not rely on this backup. Its file is as it was written, so the next one ends in the same way until the source has been corrected. Then:',
    );
  else output.next(another, 'Do not rely on this backup. Create and verify another one:');
}
