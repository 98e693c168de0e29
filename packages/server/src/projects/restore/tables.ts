import { FluxError } from '@flux/contract/errors';
import type { RestoreAnswer } from '@flux/contract/restore';
import { arbiterInSandbox } from '../../backups/restore/arbiter.ts';
import type { OpenedBackup } from '../../backups/restore/open.ts';
import { relayArchive } from '../../backups/restore/relay.ts';
import { copiedTables } from '../../backups/restore/relay-sql.ts';
import { type Actor, recordAudit } from '../../catalog/audit.ts';
import type { ProjectRow } from '../../catalog/projects.ts';
import { requireCapability } from '../../engines/capabilities.ts';
import type { Task } from '../../operations/define.ts';
import type { Manifest } from '../../postgres/manifest.ts';
import { restoreArchive } from '../../postgres/restore-archive.ts';
import { compareRestored } from '../../postgres/restored-database.ts';
import { quoteIdentifier, unquoteIdentifier } from '../../postgres/sql/quote.ts';
import type { RestoreDoors } from './into-staging.ts';
import { judgeRestored } from './judge.ts';

/**
 * Restores single tables beside the live ones, in a schema of their own: nothing that is live is touched. The rows come through
 * the sandbox, and are compared there and again where they arrive.
 *
 * @param wanted names as people write them, see `findTables`
 */
export async function restoreTables(
  doors: RestoreDoors,
  source: OpenedBackup,
  row: ProjectRow,
  { tables: wanted, requester }: { readonly tables: readonly string[]; readonly requester: Actor },
  task: Task,
): Promise<RestoreAnswer> {
  const { engine, project } = doors.projects.engines.of(row);
  const tables = findTables(source.manifest, wanted, source.manifest.schema ?? 'public');
  task.progress({ phase: 'prepare', message: 'Creating a schema beside the live one' });
  await using staging = await requireCapability(engine, 'staging', project).openTables(project, task.signal);
  await using relayed = await relayArchive(
    doors.backups,
    source,
    copiedTables(staging.schema, tables, source.manifest.internalRoles),
    task,
  );
  task.progress({ phase: 'restore', message: 'Restoring with pg_restore' });
  const outcome = await restoreArchive(doors.backups.programs, {
    major: staging.major,
    path: relayed.path,
    sha256: relayed.sha256,
    target: staging.target,
    grants: 'left out',
    transaction: 'all or nothing',
    omits: ({ kind, tag }) => kind === 'SCHEMA' && tag === staging.schema,
    onBytes: (done) => task.progress({ phase: 'restore', message: 'Restoring with pg_restore', done, unit: 'bytes' }),
    signal: task.signal,
  });
  if (outcome.kind !== 'success') {
    task.signal.throwIfAborted();
    throw new FluxError('postgres_failed', `The tables could not be restored: ${outcome.message}`, {
      hint: 'Nothing was changed. A type that the live schema does not have any more comes back with the whole backup: --into.',
      details: { toolOutput: outcome.output },
    });
  }
  await staging.finish();
  const comparison = await compareRestored(
    staging.inspector,
    relayed.manifest,
    arbiterInSandbox(doors.backups.sandbox, relayed, task),
    task.progress,
    task.signal,
  );
  const notes = judgeRestored(comparison, null, relayed.manifest, relayed.manifest).filter((note) => !note.includes('another role'));
  await recordAudit(doors.projects.catalog.db, requester, {
    action: 'project.restore_tables',
    projectId: row.id,
    subject: source.row.id,
    details: { tables: tables.map(({ from }) => from), schema: staging.schema },
  });
  staging.handOver();
  return {
    ok: true,
    how: 'tables',
    backupId: source.row.id,
    project: { slug: row.slug, hash: row.hash, mode: row.engine },
    tablesCompared: comparison.tablesCompared,
    rowsCompared: comparison.rowsCompared,
    tables: tables.map(({ from, name }) => ({ table: from, as: `${staging.schema}.${quoteIdentifier(name)}` })),
    notes,
    previousKeptAs: null,
    previousKeptUntil: null,
    presentBackupId: null,
    outageMs: null,
  };
}

/**
 * Finds tables in a manifest. `orders` is one of the schema that the API shows, `audit.log` one of another schema; capitals
 * and other unusual letters count as they are written.
 *
 * @returns each as SQL text, and the name that it gets beside
 * @throws FluxError `not_found` with the names that there are; `invalid_request` for two tables of one name
 */
export function findTables(
  manifest: Pick<Manifest, 'objects'>,
  wanted: readonly string[],
  schema: string,
): readonly { readonly from: string; readonly name: string }[] {
  const there = new Map(
    manifest.objects.filter(({ kind }) => kind === 'table').map(({ name }) => [splitName(name).map(unquoteIdentifier).join('.'), name]),
  );
  const found = [...new Set(wanted)].map((text) => {
    const from = there.get(`${schema}.${text}`) ?? there.get(text);
    if (from !== undefined) return { from, name: unquoteIdentifier(splitName(from).at(-1) ?? '') };
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

/** `a."b.c"` as its parts. */
function splitName(name: string): string[] {
  return name.match(/"(?:[^"]|"")*"|[^.]+/g) ?? [];
}
