import { availableParallelism } from 'node:os';
import { isFluxError } from '@flux/contract/errors';
import type { Progress } from '@flux/contract/operation';
import type { PostgresDoor } from '../backups/doors.ts';
import { walkArchiveStream } from '../postgres/archive/walk.ts';
import { type ChangeMarks, readChangeMarks } from '../postgres/change-marks.ts';
import { connectPostgres, sqlStateOf } from '../postgres/connect.ts';
import { chooseCompression, type DumpCompression, dumpDatabase } from '../postgres/dump.ts';
import { lookAtDatabase } from '../postgres/look.ts';
import { changedDefinitions } from '../postgres/manifest/changed-definitions.ts';
import { compareManifests } from '../postgres/manifest/compare.ts';
import type { ContentProgress } from '../postgres/manifest/content.ts';
import { measureRestored } from '../postgres/manifest/measure.ts';
import { findEqualDefinitions } from '../postgres/manifest/read-back.ts';
import { recordManifest, scopeOf } from '../postgres/manifest/record.ts';
import { addLaterSequences, readSequences } from '../postgres/manifest/sequences.ts';
import { interpretRestore, restoreArguments } from '../postgres/restore.ts';
import { restoreArchive } from '../postgres/restore-archive.ts';
import { estimateBytes, openSnapshot } from '../postgres/snapshot.ts';
import type { PostgresToolbox, PostgresTools } from '../postgres/target.ts';
import type { Account } from '../system/process.ts';

/** The account's processors share dump, restore and digests; more sessions than these only wait for each other. */
const PARALLEL = Math.max(2, Math.min(4, availableParallelism()));
/** pg_dump keeps a processor busy with compressing, and waits when it has to share that. */
const BESIDE_DUMP = Math.max(1, Math.min(4, availableParallelism() - 1));
/** Below this size of a database, a second job of pg_restore takes longer to start than it saves. */
const JOBS_FROM_BYTES = 64 * 2 ** 20;

/** Postgres and its tools as the backup workflow uses them. */
export function composePostgresDoor(toolbox: PostgresToolbox, account: Account | undefined, scratchFolder: string): PostgresDoor {
  const compressions = new Map<string, DumpCompression>();
  const compressionOf = async (tools: PostgresTools) => {
    const known = compressions.get(tools.binFolder) ?? (await chooseCompression(tools, account));
    compressions.set(tools.binFolder, known);
    return known;
  };
  return {
    openDump: async (source, signal) => {
      const tools = toolbox.require(source.major, 'client');
      const compression = await compressionOf(tools);
      const aborter = new AbortController();
      const both = AbortSignal.any([signal, aborter.signal]);
      let changeMarks: ChangeMarks | undefined;
      const snapshot = await openSnapshot(source.target, {
        signal: both,
        // Before the snapshot: what is counted twice is a caution too many, what is not counted would be a change that nobody hears of.
        beforehand: async (session) => {
          // A backup is worth as much without them.
          changeMarks = await readChangeMarks(session, source.schema ?? null).catch(() => undefined);
        },
      });
      // Before pg_dump begins: a sequence only goes on, so what the archive holds is never behind what is read here.
      const sequences = await readSequences(snapshot.session, scopeOf(source));
      const [version] = await snapshot.session.query<{ server_version: string }>('SHOW server_version');
      return {
        serverVersion: version?.server_version ?? String(source.major),
        changeMarks,
        estimatedBytes: await estimateBytes(snapshot.session, source.schema),
        abort: (reason) => aborter.abort(reason),
        dump: async (onStdout) => {
          const { target, schema } = source;
          await dumpDatabase({ tools, target, snapshotId: snapshot.id, schema, compression, account, onStdout, signal: both });
        },
        recordManifest: (onProgress) =>
          recordManifest({
            snapshot,
            source,
            sequences,
            parallel: BESIDE_DUMP,
            onProgress: asProgress('manifest', 'Counting what is dumped', onProgress),
            signal: both,
          }),
        completeManifest: (manifest) => addLaterSequences(snapshot.session, manifest),
        [Symbol.asyncDispose]: () => snapshot[Symbol.asyncDispose](),
      };
    },
    findArchiveDamage: async (bytes) => {
      try {
        await walkArchiveStream(bytes);
        return undefined;
      } catch (error) {
        if (isFluxError(error, 'artifact_invalid')) return error.message;
        throw error;
      }
    },
    runSql: async (target, sql, signal) => {
      if (sql.trim() === '') return { problem: undefined };
      await using session = await connectPostgres(target, { signal });
      try {
        await session.run(sql);
        return { problem: undefined };
      } catch (error) {
        // Only the server's own word about the SQL is an answer; a connection that broke, or a server that stops, says nothing.
        const state = sqlStateOf(error);
        if (state === undefined || state.startsWith('08') || state.startsWith('57')) throw error;
        return { problem: error instanceof Error ? error.message : String(error) };
      }
    },
    restoreArguments: (manifest) =>
      restoreArguments({ kind: manifest.backupKind, jobs: manifest.server.databaseBytes < JOBS_FROM_BYTES ? 1 : PARALLEL }),
    interpretRestore,
    lookAt: lookAtDatabase,
    restoreArchive: async ({ major, ...request }, signal) => {
      const tools = toolbox.require(major, 'client');
      return interpretRestore(await restoreArchive({ ...request, tools, account, scratchFolder, signal }));
    },
    findEqualDefinitions,
    compareRestored: async (target, manifest, arbiter, onProgress, signal) => {
      const found = await measureRestored({
        target,
        manifest,
        parallel: PARALLEL,
        onProgress: asProgress('compare', 'Comparing with what was dumped', onProgress),
        signal,
      });
      const changed = changedDefinitions(manifest, found);
      return compareManifests(manifest, found, changed.length === 0 ? undefined : await arbiter(changed));
    },
  };
}

/** How far a reading of tables is, in bytes of tables. */
function asProgress(phase: string, message: string, report: (progress: Progress) => void) {
  return ({ bytesDone, bytesTotal }: ContentProgress) => report({ phase, message, done: bytesDone, total: bytesTotal, unit: 'bytes' });
}
