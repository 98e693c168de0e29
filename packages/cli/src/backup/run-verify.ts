import type { BackupItem, VerificationProof } from '@flux/contract/backup';
import { backupKindOf, trustLabel } from '@flux/contract/labels';
import type { CallContext } from '../context.ts';
import { runOperation } from '../operations/run.ts';
import type { ResolvedProject } from '../project/resolve.ts';

/** A verification that ended in a verdict, with the label of the backup after it. */
export interface Verified {
  readonly proof: VerificationProof;
  readonly label: string;
  /** Undefined when it could not be asked for. */
  readonly origin: BackupItem['origin'] | undefined;
}

/**
 * Starts a verification and waits for its verdict, good or bad.
 *
 * @param backupId an id, or `latest`
 * @param timeLimitMs instead of what follows from the size
 * @throws FluxError when the verification ends without a proof
 */
export async function verifyBackup(
  context: CallContext,
  project: ResolvedProject,
  backupId: string,
  timeLimitMs?: number,
): Promise<Verified> {
  const proof = await obtainProof(context, project, backupId, timeLimitMs);
  return { proof, ...(await standingAfter(context, project, proof)) };
}

async function obtainProof(
  context: CallContext,
  project: ResolvedProject,
  backupId: string,
  timeLimitMs: number | undefined,
): Promise<VerificationProof> {
  const words = {
    doing: `Verifying ${backupId === 'latest' ? 'the latest backup' : `backup ${backupId}`} of ${project.slug}`,
    checkCommand: `flux backup list ${project.flags}`,
  };
  const body = timeLimitMs === undefined ? {} : { body: { timeLimitMs } };
  return (await runOperation(context, 'verifyBackup', { params: { hash: project.hash, id: backupId }, ...body }, words)).proof;
}

/** What the server says of the backup now. The verdict is shown even when this last request fails. */
async function standingAfter(
  context: CallContext,
  project: ResolvedProject,
  proof: VerificationProof,
): Promise<Pick<Verified, 'label' | 'origin'>> {
  try {
    const details = await context.client().call('showBackup', { params: { hash: project.hash, id: proof.backupId } });
    return details.backup;
  } catch {
    const kind: BackupItem['kind'] = backupKindOf(project.mode);
    if (proof.verdict === 'inconclusive') return { label: 'unknown, see `flux backup list`', origin: undefined };
    return { label: trustLabel(proof.verdict === 'restorable' ? 'restorable' : 'restore_failed', kind), origin: undefined };
  }
}
