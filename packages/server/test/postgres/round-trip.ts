import { createWriteStream } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { BackupScope } from '@flux/contract/backup-scope';
import { type ArchivedDefinitions, judgeDefinitions } from '../../src/backups/judge-definitions.ts';
import type { DisposableInstance } from '../../src/disposable/provider.ts';
import { walkArchive } from '../../src/postgres/archive/walk.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { chooseCompression, dumpDatabase } from '../../src/postgres/dump.ts';
import { type ChangedDefinition, changedDefinitions, type JudgedDefinitions } from '../../src/postgres/manifest/changed-definitions.ts';
import { type Comparison, compareManifests } from '../../src/postgres/manifest/compare.ts';
import { measureRestored } from '../../src/postgres/manifest/measure.ts';
import { renderAfter, renderBefore } from '../../src/postgres/manifest/prerequisites/render.ts';
import { recordManifest, scopeOf } from '../../src/postgres/manifest/record.ts';
import { choosePart } from '../../src/postgres/manifest/selection/part.ts';
import { addLaterSequences, readSequences } from '../../src/postgres/manifest/sequences.ts';
import { statementsOf } from '../../src/postgres/manifest/statements.ts';
import type { Manifest } from '../../src/postgres/manifest.ts';
import { interpretRestore, restoreArguments } from '../../src/postgres/restore.ts';
import { libpqOptions } from '../../src/postgres/session-settings.ts';
import { openSnapshot } from '../../src/postgres/snapshot.ts';
import { quoteIdentifier } from '../../src/postgres/sql/quote.ts';
import { libpqEnvironment, type PostgresTarget } from '../../src/postgres/target.ts';
import { runProcess } from '../../src/system/process.ts';
import type { TestCluster } from './cluster.ts';

export interface RoundTrip {
  /** The archive. It lies in the folder of the cluster that was dumped. */
  readonly path: string;
  readonly manifest: Manifest;
  readonly comparison: Comparison;
  /** Definitions that Postgres words differently after the restore. */
  readonly changed: readonly ChangedDefinition[];
  /** Milliseconds of each phase. */
  readonly phases: Readonly<Record<string, number>>;
}

export interface RoundTripRequest {
  readonly from: TestCluster;
  readonly source: PostgresTarget;
  readonly schema?: string;
  /** Which part of the database. */
  readonly scope?: BackupScope;
  readonly internalRoles?: readonly string[];
  readonly to: TestCluster;
  /** Name of the database that is made there. */
  readonly restored: string;
  /** Runs between the manifest and the dump, and is awaited after it. */
  readonly meanwhile?: () => Promise<void>;
}

/** Records, dumps, walks, restores, measures and compares, in the order that a backup and its verification have. */
export async function roundTrip(request: RoundTripRequest): Promise<RoundTrip> {
  const { from, to } = request;
  const path = join(from.folder, `${request.restored}.dump`);
  const phases: Record<string, number> = {};
  const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const result = await work();
    phases[name] = Math.round(performance.now() - began);
    return result;
  };
  const recorded = await dump(request, path, timed);
  const { entries } = await timed('walk', () => walkArchive(path));
  const manifest = { ...recorded, statements: statementsOf(entries) };
  await chmod(path, 0o644);
  const { target, ended } = await timed('restore', () => restoreArchive(request, path, manifest));
  const outcome = interpretRestore(ended);
  if (outcome.kind !== 'success') throw new Error(`${outcome.message}\n${outcome.output}`);
  await using restorer = await connectPostgres(target, { searchPath: 'role' });
  await restorer.run(renderAfter(manifest.prerequisites, manifest.schema));
  const found = await timed('measure', () => measureRestored({ target, manifest, server: 'disposable', parallel: 2 }));
  const changed = changedDefinitions(manifest, found);
  const judged = await timed('judge', () => judgeIn(to, target, { path, manifest }, changed));
  return { path, manifest, comparison: compareManifests(manifest, found, judged), changed, phases };
}

/** Restores with two jobs, and where that fails with one, as a verification does. */
async function restoreArchive({ to, restored }: RoundTripRequest, path: string, manifest: Manifest) {
  for (let jobs = 2; ; jobs--) {
    const target = await to.createDatabase(restored);
    await using restorer = await connectPostgres(target, { searchPath: 'role' });
    await restorer.run(renderBefore(manifest.prerequisites));
    const ended = await runProcess(
      to.tools.pgRestore as string,
      [...restoreArguments({ kind: manifest.backupKind, jobs }), '--dbname', restored, path],
      { env: libpqEnvironment(target), account: to.account },
    );
    if (ended.exitCode === 0 || jobs === 1) return { target, ended };
    await to.run('postgres', `drop database ${quoteIdentifier(restored)} with (force)`);
  }
}

/** Judges definitions in a restored database of a cluster, as in a disposable instance. */
export async function judgeIn(
  { tools, account }: TestCluster,
  superuser: PostgresTarget,
  archive: ArchivedDefinitions,
  changed: readonly ChangedDefinition[],
): Promise<JudgedDefinitions> {
  const pgDump: DisposableInstance['pgDump'] = ({ args, settings, onStdout }) =>
    runProcess(tools.pgDump as string, args, { env: { ...libpqEnvironment(superuser), ...libpqOptions(settings) }, account, onStdout });
  return await judgeDefinitions({ superuser, pgDump }, archive, changed);
}

async function dump(
  request: RoundTripRequest,
  path: string,
  timed: <T>(name: string, work: () => Promise<T>) => Promise<T>,
): Promise<Manifest> {
  const { from, source, schema } = request;
  const manifestSource = {
    kind: schema === undefined ? ('project_db' as const) : ('tenant_export' as const),
    schema,
    internalRoles: request.internalRoles ?? [],
  };
  await using snapshot = await openSnapshot(source);
  const part = request.scope === undefined ? undefined : await choosePart(snapshot.session, request.scope, [], 'every pattern');
  const sequences = await readSequences(snapshot, scopeOf({ ...manifestSource, part }));
  const meanwhile = request.meanwhile?.();
  const [manifest] = await Promise.all([
    timed('manifest', () => recordManifest({ snapshot, source: { ...manifestSource, part }, sequences, parallel: 2 })),
    timed('dump', async () =>
      dumpDatabase({
        tools: from.tools,
        target: source,
        snapshotId: snapshot.id,
        schema,
        selection: part?.selection,
        compression: await chooseCompression(from.tools, from.account),
        account: from.account,
        given: snapshot.session.given,
        onStdout: (stdout) => pipeline(stdout, createWriteStream(path)),
      }),
    ),
  ]);
  await meanwhile;
  return await addLaterSequences(snapshot, manifest);
}
