import type { ProjectHash, ProjectId, UserId } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import type { DatabaseTransaction } from '../../catalog/open.ts';
import { findProjectById, insertRemovedProject } from '../../catalog/projects.ts';
import { ensureUser } from '../../catalog/tokens.ts';
import { uuidv7 } from '../../system/uuid.ts';
import { newSecrets } from '../record.ts';
import type { ReconcileDeps } from './adoption.ts';

/** The user that projects are given to whose owner is not known. */
const FIRST_USER = 'admin';

/** How a project is called, as far as anything that is found knows. */
export interface ProjectName {
  readonly slug: string;
  readonly hash: ProjectHash;
}

/** Backups and receipts are of a project: where nothing else is left of it, its row says that it was removed. */
export async function ensureProject(
  db: DatabaseTransaction,
  { engines, clock }: Pick<ReconcileDeps, 'engines' | 'clock'>,
  project: ProjectName & { readonly id: ProjectId; readonly engine: EngineKind },
): Promise<void> {
  if ((await findProjectById(db, project.id)) !== undefined) return;
  const { id, slug, hash, engine } = project;
  const now = clock.now();
  const owner = await ensureUser(db, uuidv7(now) as UserId, FIRST_USER);
  // The secrets that it had are gone with its data.
  const sealed = engines.sealSecrets(newSecrets());
  await insertRemovedProject(db, { id, slug, hash, engine, owner_id: owner, sealed_secrets: sealed, removed_at: now });
}
