import { FluxError } from '@flux/contract/errors';
import type { RestoreAnswer } from '@flux/contract/restore';
import type { VerificationSandbox } from '../backups/disposable-request.ts';
import { readManifest } from '../backups/manifest.ts';
import type { LendingDeps } from '../backups/reading.ts';
import { answerRestore } from '../backups/restore/answer.ts';
import { loadArchive } from '../backups/restore/load.ts';
import { type OpenedBackup, openBackup } from '../backups/restore/open.ts';
import { relayArchive } from '../backups/restore/relay.ts';
import { copiedTables } from '../backups/restore/relay-sql.ts';
import { restoreLimitMs, withinRestoreTime } from '../backups/restore/time-limit.ts';
import { recordAudit } from '../catalog/audit.ts';
import type { BackupRow } from '../catalog/backups.ts';
import type { ProjectRow } from '../catalog/projects.ts';
import { requireCapability } from '../engines/capabilities.ts';
import type { EngineDirectory } from '../engines/directory.ts';
import type { Order, Task } from '../operations/define.ts';
import type { Manifest } from '../postgres/manifest.ts';
import type { PostgresPrograms } from '../postgres/programs.ts';
import { quoteIdentifier, splitQualifiedName, unquoteIdentifier } from '../postgres/sql/quote.ts';
import type { TablesPlan } from './restore/plan.ts';
import { proveRestored } from './restore/prove.ts';
import { requireStaging } from './restore/staging.ts';
import { withoutRoleDefaults } from './restore/without-role-defaults.ts';

/** What restoring single tables uses. */
export interface RestoreTablesDeps extends LendingDeps {
  readonly engines: EngineDirectory;
  readonly programs: PostgresPrograms;
  readonly sandbox: VerificationSandbox;
}

const LOAD_FAILURE = {
  summary: 'The tables could not be restored',
  hint: 'Nothing was changed. A type that the live schema does not have any more comes back with the whole backup: --into.',
};

/** Refuses what is known to be refused before anything is read. @throws FluxError `not_ready`, `invalid_request`, `not_found` */
export async function planTables(
  { catalog, engines }: Pick<RestoreTablesDeps, 'catalog' | 'engines'>,
  project: ProjectRow,
  backup: BackupRow,
  tables: readonly string[],
): Promise<TablesPlan> {
  requireStaging(engines, project, backup);
  findTables(await readManifest(catalog.db, backup), tables);
  return { how: 'tables', tables: [...tables] };
}

/**
 * Restores single tables beside the live ones, in a schema of their own: nothing that is live is touched. The rows come through
 * the sandbox, where the whole backup is restored and compared, and are compared again where they arrive.
 *
 * @throws FluxError what `openBackup`, `relayArchive`, `loadArchive` and `proveRestored` throw: nothing was changed then
 */
export async function restoreTables(deps: RestoreTablesDeps, order: Order<TablesPlan>, task: Task): Promise<RestoreAnswer> {
  await using source = await openBackup(deps, order.backupId, task);
  const { databaseBytes } = source.manifest.server;
  const limitMs = restoreLimitMs(deps.sandbox.restoreTimes, deps.sandbox.limits, databaseBytes);
  const what = `The restore of tables of backup ${source.row.id}`;
  return await withinRestoreTime(task, limitMs, { what, databaseBytes }, (bounded) => loadTables(deps, order, source, bounded));
}

async function loadTables(
  deps: RestoreTablesDeps,
  { request, project: row, requester }: Order<TablesPlan>,
  source: OpenedBackup,
  task: Task,
): Promise<RestoreAnswer> {
  const { engine, project } = deps.engines.of(row);
  const tables = findTables(source.manifest, request.tables);
  task.progress({ phase: 'prepare', message: 'Creating a schema beside the live one' });
  await using staging = await requireCapability(engine, 'staging', project).openTables(project, task.signal);

  const copies = copiedTables(staging.schema, tables, source.manifest.internalRoles);
  await using relayed = await relayArchive(deps, source, copies, task);
  const { major, inspector } = staging;
  const { moneyLocale } = relayed.manifest.server;
  const omits = ({ kind, tag }: { readonly kind: string; readonly tag: string }) => kind === 'SCHEMA' && tag === staging.schema;
  const destination = { major, grants: 'left out', transaction: 'all or nothing', omits, moneyLocale } as const;
  await staging.load((target) => loadArchive(deps.programs, relayed, { ...destination, target }, LOAD_FAILURE, task));
  await staging.finish();
  const archive = { path: relayed.path, manifest: withoutRoleDefaults(relayed.manifest) };
  const compared = await proveRestored(deps.sandbox, { inspector, archive, original: relayed.manifest, owners: 'ignored' }, task);

  await recordAudit(deps.catalog.db, requester, {
    action: 'project.restore_tables',
    projectId: row.id,
    subject: source.row.id,
    details: { tables: tables.map(({ from }) => from), schema: staging.schema },
  });
  staging.handOver();
  const restored = tables.map(({ from, name }) => ({ table: from, as: `${staging.schema}.${quoteIdentifier(name)}` }));
  return answerRestore('tables', source.row.id, row, { ...compared, tables: restored });
}

/**
 * Finds tables in a manifest. `orders` is one of the schema that the API shows, `audit.log` one of another schema; capitals
 * and other unusual letters count as they are written.
 *
 * @returns each as SQL text, and the name that its copy gets
 * @throws FluxError `not_found` with the names that there are; `invalid_request` for two tables of one name
 */
export function findTables(
  manifest: Pick<Manifest, 'objects' | 'schema'>,
  wanted: readonly string[],
): readonly { readonly from: string; readonly name: string }[] {
  const schema = manifest.schema ?? 'public';
  const there = new Map(
    manifest.objects
      .filter(({ kind }) => kind === 'table')
      .map(({ name }) => [splitQualifiedName(name).map(unquoteIdentifier).join('.'), name]),
  );
  const found = [...new Set(wanted)].map((text) => {
    const from = there.get(`${schema}.${text}`) ?? there.get(text);
    if (from !== undefined) return { from, name: unquoteIdentifier(splitQualifiedName(from).at(-1) ?? '') };
    const some = [...there.keys()].slice(0, 10).map((name) => (name.startsWith(`${schema}.`) ? name.slice(schema.length + 1) : name));
    throw new FluxError('not_found', `The backup holds no table ${text}.`, {
      hint: there.size === 0 ? 'It holds no table at all.' : `It holds ${some.join(', ')}${there.size > 10 ? ', ...' : ''}.`,
    });
  });
  const names = found.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return found;
  throw new FluxError('invalid_request', `Two of the tables are called ${twice}.`, { hint: 'Restore them one after the other.' });
}
