import { randomUUID } from 'node:crypto';
import { FluxError } from '@flux/contract/errors';
import type { BackupId } from '@flux/contract/ids';
import type { OperationContext } from '../../operations/run.ts';
import type { Manifest } from '../../postgres/manifest.ts';
import { quoteIdentifier, quoteLiteral } from '../../postgres/sql/quote.ts';
import type { BackupDoors } from '../doors.ts';
import { restoreAndCompare } from '../verify/restore.ts';
import { startStopwatch } from '../verify/stopwatch.ts';
import type { OpenedBackup } from './open.ts';

/** What is called otherwise where the data goes. */
export interface Renames {
  readonly schema: { readonly from: string; readonly to: string };
  readonly roles: readonly { readonly from: string; readonly to: string }[];
  /** Roles whose grants are Flux's own there. */
  readonly internalRoles: readonly string[];
}

/** An archive under other names, with its manifest; disposing of it removes the file. */
export interface RelayedArchive extends AsyncDisposable {
  readonly path: string;
  readonly sha256: string;
  readonly manifest: Manifest;
}

/**
 * Makes an archive of the same data under other names: restores into a disposable instance, where it is compared with its
 * manifest as in any verification, has Postgres itself rename schema and roles there, and dumps again. No SQL text is
 * rewritten by us, and what the tenant wrote runs nowhere but in the sandbox.
 *
 * @throws FluxError `verification_failed`, `verification_inconclusive`, `sandbox_unavailable`
 */
export async function relayArchive(
  doors: BackupDoors,
  source: OpenedBackup,
  renames: Renames,
  context: OperationContext,
): Promise<RelayedArchive> {
  const { manifest, path, row } = source;
  const { major, databaseBytes, encoding, collate, ctype } = manifest.server;
  await using instance = await doors.disposables.open({
    major,
    expectedBytes: databaseBytes,
    limits: doors.verifyLimits,
    encoding,
    collate,
    ctype,
    archivePath: path,
    signal: context.signal,
  });
  const verdict = await restoreAndCompare(doors, instance, manifest, context, startStopwatch());
  if (verdict.verdict !== 'restorable')
    throw new FluxError(
      verdict.verdict === 'failed' ? 'verification_failed' : 'verification_inconclusive',
      `Backup ${row.id} was not restored: ${verdict.summary} Nothing was changed.`,
      { hint: `Look closer with \`flux backup verify --id ${row.id}\`.` },
    );
  context.progress({ phase: 'rename', message: 'Giving it the names that it will have' });
  const renamed = await doors.postgres.runSql(instance.superuser, renameSql(renames), context.signal);
  if (renamed.problem !== undefined) throw new FluxError('postgres_failed', `The names could not be changed: ${renamed.problem}`);

  await using session = await doors.postgres.openDump(
    { kind: 'tenant_export', target: instance.superuser, major, schema: renames.schema.to, internalRoles: renames.internalRoles },
    context.signal,
  );
  const draft = await doors.store.create({ projectId: row.project_id, backupId: randomUUID() as BackupId });
  try {
    const recorded = await session.recordManifest(context.progress);
    let sha256 = '';
    await session.dump(async (bytes) => {
      ({ sha256 } = await draft.write(bytes));
    });
    const made = await session.completeManifest(recorded);
    return { path: draft.path, sha256, manifest: made, [Symbol.asyncDispose]: () => draft[Symbol.asyncDispose]() };
  } catch (error) {
    await draft[Symbol.asyncDispose]();
    throw error;
  }
}

function renameSql({ schema, roles }: Renames): string {
  const ifThere = (name: string, statement: string) =>
    `DO ${quoteLiteral(`BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${quoteLiteral(name)}) THEN ${statement}; END IF; END`)}`;
  return [
    'BEGIN',
    `ALTER SCHEMA ${quoteIdentifier(schema.from)} RENAME TO ${quoteIdentifier(schema.to)}`,
    ...roles
      .filter(({ from, to }) => from !== to)
      .map(({ from, to }) => ifThere(from, `ALTER ROLE ${quoteIdentifier(from)} RENAME TO ${quoteIdentifier(to)}`)),
    `DO ${quoteLiteral(
      `BEGIN IF pg_catalog.to_regclass('flux.flux_migrations') IS NOT NULL THEN
         UPDATE flux.flux_migrations SET tenant_schema = ${quoteLiteral(schema.to)} WHERE tenant_schema = ${quoteLiteral(schema.from)};
       END IF; END`,
    )}`,
    'COMMIT',
  ].join(';\n');
}
