import type { Finding } from '@flux/contract/doctor';
import { FluxError } from '@flux/contract/errors';
import type { ProjectSummary } from '@flux/contract/project';
import { readManifest } from '../backups/manifest.ts';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import { findLatestCompleteBackup } from '../catalog/backups.ts';
import { type ProjectRow, setProjectSecrets } from '../catalog/projects.ts';
import type { DatabaseIdentity } from '../engines/attached/identity.ts';
import { requireActive } from './active.ts';
import { type SummaryDeps, summarize } from './list.ts';

/** The new address of an attached database. */
export interface ReattachRequest {
  readonly uri: string;
  /** Takes it although it is another database, or although that cannot be told. */
  readonly otherDatabase?: boolean | undefined;
}

/** From this share of the tables of a backup on, a database counts as a copy of the one that was backed up. */
const SAME_FROM = 0.5;

/**
 * Replaces the URI of an attached project: a password that was changed, a server that has moved. The new one is looked at first, as when a
 * project is attached.
 *
 * @throws FluxError `invalid_request` for a project that is not attached; `not_ready` when it is another database; what `provision` throws
 */
export async function reattachProject(
  deps: SummaryDeps,
  row: ProjectRow,
  actor: Actor,
  { uri, otherDatabase = false }: ReattachRequest,
  signal: AbortSignal,
): Promise<{ readonly summary: ProjectSummary; readonly findings: readonly Finding[] }> {
  requireActive(row);
  const { engine, project } = deps.engines.of(row);
  if (engine.attachment === undefined)
    throw new FluxError('invalid_request', `${row.slug} is not attached: Flux runs its Postgres, so it has no URI to replace.`, {
      hint: 'An existing database is attached with `flux create <name> --attach`.',
    });
  const replaced = { ...project, secrets: { ...project.secrets, attachedUri: uri } };
  await engine.provision(replaced, signal);
  const found = await engine.attachment.identify(replaced, signal);
  // After a password was changed, or a server was moved, the old URI answers no more.
  const known = await engine.attachment.identify(project, signal).catch(() => undefined);
  const comparison = await compareDatabases(deps, row, known, found);
  if (comparison !== 'same' && !otherDatabase)
    throw new FluxError('not_ready', `${describe(comparison, row.slug, found.database)} Nothing was changed.`, {
      hint: 'Attach another database as a project of its own with `flux create <name> --attach`; or, if it is meant, add --other-database.',
    });
  const sealed = deps.engines.sealSecrets(replaced.secrets);
  await deps.catalog.db.transaction().execute(async (db) => {
    await setProjectSecrets(db, row.id, sealed);
    await recordAudit(db, actor, {
      action: 'project.attach',
      projectId: row.id,
      subject: row.slug,
      details: { comparison, otherDatabase },
    });
  });
  const summary = await summarize(deps, { ...row, sealed_secrets: sealed });
  return { summary, findings: await engine.attachment.look(replaced, signal) };
}

type Sameness = 'same' | 'other' | 'unknown';

async function compareDatabases(
  { catalog }: Pick<SummaryDeps, 'catalog'>,
  row: ProjectRow,
  known: DatabaseIdentity | undefined,
  found: DatabaseIdentity,
): Promise<Sameness> {
  if (known !== undefined && known.system !== null && known.system === found.system && known.databaseOid === found.databaseOid)
    return 'same';
  const backup = await findLatestCompleteBackup(catalog.db, row.id);
  const tables =
    backup === undefined
      ? known?.tables
      : (await readManifest(catalog.db, backup)).tables.filter(({ kind }) => kind === 'table').map(({ name }) => name);
  if (tables === undefined || tables.length === 0) return 'unknown';
  const there = new Set(found.tables);
  return tables.filter((name) => there.has(name)).length / tables.length >= SAME_FROM ? 'same' : 'other';
}

function describe(comparison: Exclude<Sameness, 'same'>, slug: string, database: string): string {
  if (comparison === 'other') return `${database} is another database than that of ${slug}: most of its tables are not there.`;
  return `Whether ${database} is the database of ${slug} cannot be told: the old URI does not answer, and there is no backup with tables to compare with.`;
}
