import { type BackupScope, isWholeDatabase } from '@flux/contract/backup-scope';
import type { Finding } from '@flux/contract/doctor';
import { FluxError } from '@flux/contract/errors';
import type { ProjectSummary } from '@flux/contract/project';
import { readManifest } from '../backups/manifest.ts';
import { type Actor, recordAudit } from '../catalog/audit.ts';
import { findLatestCompleteBackup } from '../catalog/backups.ts';
import { type ProjectRow, setAttachment } from '../catalog/projects.ts';
import type { DatabaseIdentity } from '../engines/attached/identity.ts';
import { requireActive } from './active.ts';
import { type SummaryDeps, summarize } from './list.ts';

/** What of an attached project changes. */
export interface ReattachRequest {
  /** The new address of the database; the present one stays when absent. */
  readonly uri?: string | undefined;
  /** Which part of it is backed up from now on, null for all of it; as before when absent. */
  readonly scope?: BackupScope | null | undefined;
  /** Takes it although it is another database, or although that cannot be told. */
  readonly otherDatabase?: boolean | undefined;
}

/** From this share of the tables of a backup on, a database counts as a copy of the one that was backed up. */
const SAME_FROM = 0.5;

/**
 * Replaces the URI of an attached project (a password that was changed, a server that has moved), or which part of the database is backed
 * up. The database is looked at first, as when a project is attached. Earlier backups keep the part that they were made of.
 *
 * @throws FluxError `invalid_request` for a project that is not attached, or a part that cannot be chosen; `not_ready` when it is another database; what `provision` throws
 */
export async function reattachProject(
  deps: SummaryDeps,
  row: ProjectRow,
  actor: Actor,
  { uri, scope: wanted, otherDatabase = false }: ReattachRequest,
  signal: AbortSignal,
): Promise<{ readonly summary: ProjectSummary; readonly findings: readonly Finding[] }> {
  requireActive(row);
  // Choosing the part again is also what helps when the present one cannot be read.
  const { engine, project } = deps.engines.of(wanted === undefined ? row : { ...row, scope: null });
  if (engine.attachment === undefined)
    throw new FluxError(
      'invalid_request',
      `${row.slug} is not attached: Flux runs its Postgres, so it has no URI to replace, and is backed up whole.`,
      {
        hint: 'An existing database is attached with `flux create <name> --attach`.',
      },
    );
  const scope = wanted === undefined ? project.scope : wanted === null || isWholeDatabase(wanted) ? undefined : wanted;
  const { scope: _, ...others } = project;
  const secrets = { ...project.secrets, attachedUri: uri ?? project.secrets.attachedUri };
  const replaced = { ...others, secrets, ...(scope === undefined ? {} : { scope }) };
  await engine.provision(replaced, signal);
  const found = await engine.attachment.identify(replaced, signal);
  // After a password was changed, or a server was moved, the old URI answers no more.
  const known = uri === undefined ? found : await engine.attachment.identify(project, signal).catch(() => undefined);
  const comparison = uri === undefined ? 'same' : await compareDatabases(deps, row, known, found);
  if (comparison !== 'same' && !otherDatabase)
    throw new FluxError('not_ready', `${describe(comparison, row.slug, found.database)} Nothing was changed.`, {
      hint: 'Attach another database as a project of its own with `flux create <name> --attach`; or, if it is meant, add --other-database.',
    });
  const sealed = deps.engines.sealSecrets(replaced.secrets);
  await deps.catalog.db.transaction().execute(async (db) => {
    await setAttachment(db, row.id, { sealed, scope: scope ?? null });
    await recordAudit(db, actor, {
      action: 'project.attach',
      projectId: row.id,
      subject: row.slug,
      details: { uri: uri === undefined ? 'kept' : 'replaced', comparison, otherDatabase, scope: scope ?? null },
    });
  });
  const summary = await summarize(deps, { ...row, sealed_secrets: sealed, scope: scope ?? null });
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
