import type { Difference, VerificationProof } from '@flux/contract/backup';
import { RECEIPT_PREDICATE_TYPE, type ReceiptStatement, STATEMENT_TYPE } from '@flux/contract/receipt';
import type { BackupRow } from '../../catalog/backups.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import { leftOutOf } from '../left-out.ts';

/** A finished verification, and its position in the chain of its project. */
export interface Verified {
  readonly project: ProjectRow;
  readonly backup: BackupRow;
  readonly proof: VerificationProof;
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly sequence: number;
  readonly previousReceiptSha256: string | null;
  readonly fluxVersion: string;
}

/** The statement about a verification. The backup was complete when it was verified, so its digests exist. */
export function stateVerification(verified: Verified): ReceiptStatement {
  const { project, backup, proof } = verified;
  const { sha256, size_bytes: sizeBytes, manifest_sha256: manifestSha256 } = backup;
  if (sha256 === null || sizeBytes === null || manifestSha256 === null) throw new TypeError(`backup ${backup.id} was never complete`);
  return {
    _type: STATEMENT_TYPE,
    // Policies match subjects by digest alone: a statement about damaged bytes must not apply to the intact ones.
    subject: [{ name: `${project.hash}-${backup.id}.dump`, digest: { sha256: proof.artifactSha256 ?? sha256 } }],
    predicateType: RECEIPT_PREDICATE_TYPE,
    predicate: {
      verificationId: proof.verificationId,
      backupId: backup.id,
      project: { slug: project.slug, hash: project.hash },
      engine: backup.engine,
      sequence: verified.sequence,
      previousReceiptSha256: verified.previousReceiptSha256,
      verdict: proof.verdict,
      artifact: { sha256, sizeBytes, readSha256: proof.artifactSha256, readSizeBytes: proof.bytesRead },
      manifestSha256,
      ...(backup.origin === 'imported' ? { comparedWith: 'archive' } : {}),
      versions: {
        sourcePostgres: backup.postgres_version,
        disposablePostgres: proof.postgresVersion,
        flux: verified.fluxVersion,
      },
      sandbox: proof.sandbox,
      compared: {
        tables: proof.tablesCompared,
        rows: proof.rowsCompared,
        objects: proof.objectsCompared,
        differences: {
          failure: countOf(proof.differences, 'failure'),
          prerequisite: countOf(proof.differences, 'prerequisite'),
          notCompared: countOf(proof.differences, 'not_compared'),
          leftOut: countOf(proof.differences, 'left_out'),
        },
      },
      leftOut: leftOutOf(proof),
      startedAt: verified.startedAt.toISOString(),
      finishedAt: verified.finishedAt.toISOString(),
      durationMs: proof.durationMs,
      phasesMs: proof.phasesMs,
    },
  };
}

function countOf(differences: readonly Difference[], judgement: Difference['judgement']): number {
  return differences.filter((difference) => difference.judgement === judgement).length;
}
