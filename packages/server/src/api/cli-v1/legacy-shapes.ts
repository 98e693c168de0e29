import type { BackupItem } from '@flux/contract/backup';
import type { LegacyItem } from '@flux/contract/cli-v1/backup';
import type { ListedProject } from '@flux/contract/cli-v1/project';
import { FluxError } from '@flux/contract/errors';
import type { OperationAnswer } from '@flux/contract/operation';
import { OPERATION_RESULTS } from '@flux/contract/operation-results';
import type { ProjectSummary } from '@flux/contract/project';
import type { OperationRow } from '../../catalog/operations.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import { toOperationAnswer } from '../operation-answer.ts';

/** A project as existing clients read it. */
export function toListedProject(summary: ProjectSummary, apiUrl: string): ListedProject {
  return { ...summary, apiUrl, lifecycleState: summary.lifecycle === 'removed' ? 'archived' : 'active' };
}

/** A backup as existing clients read it. */
export function toLegacyItem(item: BackupItem): LegacyItem {
  return { ...item, offsiteR2Status: 'disabled' };
}

/** An operation as existing clients read it: its result is what the synchronous route would have answered. */
export function toLegacyOperation(row: OperationRow): OperationAnswer {
  const operation = toOperationAnswer(row);
  if (operation.result === undefined || (row.kind !== 'backup_create' && row.kind !== 'backup_delete')) return operation;
  const { backup } = OPERATION_RESULTS[row.kind].parse(operation.result);
  return { ...operation, result: { backup: toLegacyItem(backup) } };
}

/** Refuses a body whose slug and hash name different projects. @throws FluxError `project_mismatch` */
export function requireSlugOf(project: ProjectRow, slug: string): void {
  if (slug === project.slug) return;
  throw new FluxError('project_mismatch', `The hash ${project.hash} is the project ${project.slug}, not ${slug}.`, {
    hint: 'Correct --project or --hash; `flux list` shows both.',
  });
}
