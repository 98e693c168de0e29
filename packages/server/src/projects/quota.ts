import type { Finding } from '@flux/contract/doctor';
import type { QuotaAnswer, QuotaLimits, QuotaRequest } from '@flux/contract/quota';
import { ownLimits, type QuotaDeps, type QuotaState, readQuota } from '../backups/quota.ts';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { setQuota } from '../catalog/quotas.ts';

/** What a project may use, and what it uses. */
export async function answerQuota(deps: QuotaDeps, project: ProjectRow): Promise<QuotaAnswer> {
  const { limits, own, used } = await readQuota(deps, project);
  const { operations, measuredAt, ...counted } = used;
  return { quota: { limits, own, used: { ...counted, operationsPerDay: operations, measuredAt: measuredAt?.toISOString() ?? null } } };
}

/** Changes what a project may use. */
export async function changeQuota(deps: QuotaDeps, row: ProjectRow, actor: Actor, request: QuotaRequest): Promise<QuotaAnswer> {
  const before = ownLimits(row);
  const merged = { ...before, ...request };
  const own = Object.fromEntries(Object.entries(merged).filter(([, limit]) => limit !== null && limit !== undefined));
  await deps.catalog.db.transaction().execute(async (db) => {
    await setQuota(db, row.id, own);
    await recordAudit(db, actor, { action: 'project.quota', projectId: row.id, subject: row.slug, details: { ...request, before } });
  });
  return await answerQuota(deps, { ...row, quota: own });
}

const NEARLY = 0.9;

/** What a project has used up, or nearly. */
export function quotaFindings(project: ProjectRow, { limits, used }: QuotaState): Finding[] {
  const command = `flux project quota ${project.slug} --hash ${project.hash}`;
  const shares: readonly (readonly [keyof QuotaLimits, number, string])[] = [
    ['diskBytes', (used.databaseBytes ?? 0) + used.backupBytes, 'of its disk space'],
    ['backups', used.backups, 'of the backups that it may keep'],
    ['operationsPerDay', used.operations, 'of its pushes, backups, verifications and imports of 24 hours'],
  ];
  return shares.flatMap(([limit, amount, what]): Finding[] => {
    const share = amount / limits[limit];
    if (share < NEARLY) return [];
    const found = `It uses ${Math.floor(share * 100)} % ${what}.${share < 1 ? '' : ' New ones are refused, and nothing is removed.'}`;
    return [{ severity: 'warning', what: 'quota', found, command }];
  });
}
