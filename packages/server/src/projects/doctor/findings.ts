import type { Finding } from '@flux/contract/doctor';
import { isFluxError } from '@flux/contract/errors';
import { findChainProblems } from '../../backups/receipt/chain.ts';
import type { BlobStore } from '../../blobs/store.ts';
import type { Catalog } from '../../catalog/open.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import { readOnlyError } from '../../catalog/version.ts';
import type { EngineDirectory } from '../../engines/directory.ts';
import type { Log } from '../../system/log.ts';
import type { HostNames, Machine } from './machine.ts';

const SHOWN = 10;

/** What is wrong with the control plane itself. */
export function serverFindings(
  catalog: Pick<Catalog, 'mode'>,
  { clock, notCompared }: Pick<Machine, 'clock' | 'notCompared'>,
  names: HostNames,
): Finding[] {
  const findings: Finding[] = [];
  if (catalog.mode === 'read-only') findings.push({ severity: 'danger', what: 'catalog', found: readOnlyError().message, command: null });
  const aheadMs = clock.distrustedMs();
  if (aheadMs > 0) {
    const found = `The clock of this machine has leapt ahead by ${Math.round(aheadMs / 3_600_000)} h. Nothing expires until it has stood by that for as long, or for a day.`;
    findings.push({ severity: 'warning', what: 'clock', found, command: null });
  }
  const behindMs = clock.behindMs();
  if (behindMs > 0) {
    const found = `The clock of this machine is ${Math.round(behindMs / 3_600_000)} h behind a time that it had before. Tokens expire by that time. Set the clock; if the time before was the wrong one, stop the control plane and delete the file last-seen-time of the data folder.`;
    findings.push({ severity: 'warning', what: 'clock', found, command: null });
  }
  const more = notCompared.length - SHOWN;
  const shown = more > 0 ? [...notCompared.slice(0, SHOWN), `So it is with ${more} more; the log of the start has them.`] : notCompared;
  // The sentences name projects and paths.
  for (const found of names === 'named' ? shown : []) findings.push({ severity: 'warning', what: 'catalog', found, command: null });
  return findings;
}

/** Gaps and forks in the receipts of a project. */
export async function chainFindings(
  deps: { readonly catalog: Catalog; readonly store: BlobStore; readonly log: Log },
  project: ProjectRow,
): Promise<Finding[]> {
  try {
    const problems = await findChainProblems(deps, project.id);
    if (problems.length === 0) return [];
    const found = `${problems.join(' ')} Something other than Flux has changed the catalog or the store, or the catalog was put back from a copy: docs/operating/upgrade.md.`;
    return [{ severity: 'danger', what: 'receipts', found, command: null }];
  } catch (error) {
    return [{ ...brokenFinding(deps.log, project, error), what: 'receipts' }];
  }
}

/** A row of the catalog whose secrets or settings cannot be read: nothing can be done with the project until they can. */
export function rowFinding({ engines }: { readonly engines: EngineDirectory }, project: ProjectRow): Finding[] {
  try {
    engines.of(project);
    return [];
  } catch (error) {
    if (!isFluxError(error)) throw error;
    return [{ severity: 'danger', what: 'catalog', found: `${error.message} ${error.hint ?? ''}`.trim(), command: null }];
  }
}

/** One project that cannot be examined must not hide the others. */
export function brokenFinding(log: Log, project: ProjectRow, error: unknown): Finding {
  log.error({ err: error, project: project.hash }, 'a project could not be examined');
  const why = isFluxError(error) ? error.message : 'Unexpected error: the log of the control plane has it.';
  return { severity: 'danger', what: 'examination', found: `It could not be examined: ${why}`, command: null };
}
