import type { BackupItem } from '@flux/contract/backup';
import type { LegacyItem } from '@flux/contract/cli-v1/backup';
import type { LegacyOperation } from '@flux/contract/cli-v1/operation';
import type { LegacyPushAnswer, ListedProject } from '@flux/contract/cli-v1/project';
import { FluxError } from '@flux/contract/errors';
import type { ProjectSummary, PushAnswer } from '@flux/contract/project';
import type { Principal } from '../../access/policy.ts';
import type { OperationRow } from '../../catalog/operations.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import { toOperationAnswer } from '../operation-answer.ts';

/** A project as existing clients read it. */
export function toListedProject(summary: ProjectSummary, apiUrl: string): ListedProject {
  return { ...summary, apiUrl, lifecycleState: summary.lifecycle === 'removed' ? 'archived' : 'active' };
}

/** A backup as existing clients read it. */
export function toLegacyItem(item: BackupItem): LegacyItem {
  const { offsiteStatus, ...rest } = item;
  return { ...rest, ...OFFSITE[offsiteStatus] };
}

const OFFSITE = {
  not_configured: { offsiteR2Status: 'disabled' },
  pending: { offsiteStatus: 'pending', offsiteR2Status: 'missing' },
  replicated: { offsiteStatus: 'complete', offsiteR2Status: 'uploaded' },
  failed: { offsiteStatus: 'failed', offsiteR2Status: 'failed' },
} as const satisfies Record<BackupItem['offsiteStatus'], Pick<LegacyItem, 'offsiteStatus' | 'offsiteR2Status'>>;

/** The answer to a push as existing clients read it: nothing is ever moved. */
export function toLegacyPush(answer: PushAnswer): LegacyPushAnswer {
  return { ok: true, ...answer, tablesMoved: 0, sequencesMoved: 0, viewsMoved: 0 };
}

/** An operation as existing clients read it. */
export function toLegacyOperation(row: OperationRow, reader?: Principal): LegacyOperation {
  const operation = toOperationAnswer(row, reader);
  if ((operation.kind !== 'backup_create' && operation.kind !== 'backup_delete') || operation.result === undefined) return operation;
  return { ...operation, result: { backup: toLegacyItem(operation.result.backup) } };
}

/** Refuses a body whose slug and hash name different projects. @throws FluxError `project_mismatch` */
export function requireSlugOf(project: ProjectRow, slug: string): void {
  if (slug === project.slug) return;
  throw new FluxError('project_mismatch', `The hash ${project.hash} is the project ${project.slug}, not ${slug}.`, {
    hint: 'Correct --project or --hash; `flux list` shows both.',
  });
}
