import { listDetails, recordAudit } from '../../catalog/audit.ts';
import { type Adoption, NOBODY, type ReconcileDeps } from './adoption.ts';

const ACTION = 'reconcile.passed_over';

/** Why things that were found could not be adopted, by the ids of their adoptions. */
export async function listPassedOver({ catalog }: Pick<ReconcileDeps, 'catalog'>): Promise<ReadonlyMap<string, string>> {
  const lines = await listDetails(catalog.db, ACTION);
  return new Map(lines.map(({ subject, details }) => [subject, String(details.why)]));
}

/**
 * Records that something could not be adopted, so that it keeps no start back: it stays where it is, every start names it, and the next
 * `flux-server reconcile --apply` tries again. Only in the catalog that could not take it: an older copy knows nothing of it.
 *
 * @returns whether a start may pass it over
 */
export async function passOver({ catalog }: Pick<ReconcileDeps, 'catalog'>, { id }: Adoption, why: string): Promise<boolean> {
  if (id === undefined) return false;
  await recordAudit(catalog.db, NOBODY, { action: ACTION, projectId: null, subject: id, details: { why } });
  return true;
}
