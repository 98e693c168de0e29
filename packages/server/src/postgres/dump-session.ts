import { availableParallelism } from 'node:os';
import type { BackupScope } from '@flux/contract/backup-scope';
import { FluxError, isFluxError } from '@flux/contract/errors';
import type { Progress } from '@flux/contract/operation';
import { tapToc } from './archive/tap-toc.ts';
import type { ArchiveToc } from './archive/toc.ts';
import { type ChangeMarks, readChangeMarks } from './change-marks.ts';
import { type PostgresSession, sqlStateOf } from './connect.ts';
import { dumpDatabase } from './dump.ts';
import {
  type Blocker,
  blockedDetails,
  blockersInWords,
  howToUnblock,
  LOCK_NOT_AVAILABLE,
  LOCK_WAIT_MS,
  uniqueName,
  watchLocks,
} from './lock-watch.ts';
import type { ContentProgress } from './manifest/content.ts';
import { type ManifestSource, recordManifest, scopeOf } from './manifest/record.ts';
import { type ChosenPart, choosePart } from './manifest/selection/part.ts';
import { addLaterSequences, readSequences } from './manifest/sequences.ts';
import { statementsOf } from './manifest/statements.ts';
import type { DumpedStatements, Manifest } from './manifest.ts';
import type { PostgresPrograms } from './programs.ts';
import { SESSIONS_OF_A_DUMP } from './session-places.ts';
import { estimateBytes, openSnapshot } from './snapshot.ts';
import { asSourceError } from './source-error.ts';
import type { PostgresTarget } from './target.ts';
import { warningsOf } from './tool-warnings.ts';

/** A dump in progress: one snapshot of the source, used by pg_dump and by the manifest. */
export interface DumpSession extends AsyncDisposable {
  /** Aborts everything that runs under the session, with this reason. */
  abort(reason: unknown): void;
  /** Version of the source server, for example `15.18`. */
  readonly serverVersion: string;
  /** The counters of changes just before the snapshot; undefined when they could not be read. */
  readonly changeMarks: ChangeMarks | undefined;
  /** Size of what will be dumped, in bytes on the server's disk: an estimate for progress. */
  readonly estimatedBytes: number;
  /**
   * Runs pg_dump under the snapshot; resolves only when pg_dump has ended with status 0.
   *
   * @throws FluxError `dump_failed`
   */
  dump(onBytes: (bytes: AsyncIterable<Buffer>) => Promise<void>): Promise<Dumped>;
  /** Records what the dump must contain, under the same snapshot. */
  recordManifest(onProgress: (progress: Progress) => void): Promise<Manifest>;
  /** Adds what is known only after the dump: how far sequences have advanced meanwhile. */
  completeManifest(manifest: Manifest): Promise<Manifest>;
}

/** What is known of a dump that has succeeded. */
export interface Dumped {
  /** What pg_dump warned of, each as one line. */
  readonly warnings: readonly string[];
  /** What it said of each object. */
  readonly statements: readonly DumpedStatements[];
}

/** What is dumped, and where it is. */
type DumpSource = Omit<ManifestSource, 'part'> & {
  readonly target: PostgresTarget;
  readonly major: number;
  /** The part of the database that is wanted; undefined for all of it. */
  readonly scope?: BackupScope | undefined;
  /** Who looks whether somebody's lock keeps the dump waiting; absent where nobody else is. */
  readonly observer?: PostgresTarget | undefined;
};

/** pg_dump uses a whole processor for compression, and is slower when it has to share it. */
const SESSIONS_BESIDE_DUMP = Math.max(1, Math.min(4, availableParallelism() - 1));

/**
 * Opens a snapshot of a source for a dump.
 *
 * @throws FluxError `postgres_missing` before anything runs, `instance_unavailable`; `dump_failed` when something may not be read
 */
export async function openDumpSession(programs: PostgresPrograms, source: DumpSource, signal: AbortSignal): Promise<DumpSession> {
  const applicationName = uniqueName();
  const { account, memoryBytes, toolbox } = programs;
  const tools = toolbox.require(source.major, 'client');
  const compression = await programs.compressionOf(tools);
  const places = await source.target.places?.reserve(SESSIONS_OF_A_DUMP, signal);
  const given = {
    ...source,
    target: { ...source.target, applicationName, places },
    observer: source.observer && { ...source.observer, places },
  };
  const aborter = new AbortController();
  const both = AbortSignal.any([signal, aborter.signal]);
  let changeMarks: ChangeMarks | undefined;
  const watch =
    given.observer && watchLocks(given.observer, { of: { applicationName }, onBlocked: (blockers) => aborter.abort(blocked(blockers)) });
  /** What went wrong, for the owner of the source. */
  const explained = (error: unknown): unknown => {
    if (isFluxError(aborter.signal.reason)) return aborter.signal.reason;
    if (both.aborted) return error;
    return sqlStateOf(error) === LOCK_NOT_AVAILABLE ? blocked(watch?.lastBlockers() ?? []) : asSourceError(error, given.target);
  };
  const snapshot = await openSnapshot(given.target, {
    signal: both,
    // Read before the snapshot: counting a change twice is harmless, missing one is not.
    beforehand: async (session) => {
      // A backup is valid without them.
      changeMarks = await readChangeMarks(session, given.schema ?? null).catch(() => undefined);
    },
  }).catch(async (error: unknown) => {
    await watch?.[Symbol.asyncDispose]();
    places?.[Symbol.dispose]();
    throw error;
  });
  const close = async () => {
    await watch?.[Symbol.asyncDispose]();
    await snapshot[Symbol.asyncDispose]();
    places?.[Symbol.dispose]();
  };
  try {
    // Before pg_dump starts: a sequence only advances, so its value in the archive is never behind the one read here.
    const part = await partOf(snapshot.session, given);
    const dumped = { ...given, part };
    const scope = scopeOf(dumped);
    const sequences = await readSequences(snapshot, scope);
    const [version] = await snapshot.session.query<{ server_version: string }>('SHOW server_version');
    return {
      serverVersion: version?.server_version ?? String(dumped.major),
      changeMarks,
      estimatedBytes: await estimateBytes(snapshot.session, scope),
      abort: (reason) => aborter.abort(reason),
      dump: async (onBytes) => {
        const { target, schema } = dumped;
        const tapped = Promise.withResolvers<ArchiveToc>();
        tapped.promise.catch(() => undefined);
        const { warnings } = await dumpDatabase({
          tools,
          target,
          snapshotId: snapshot.id,
          schema,
          selection: part?.selection,
          compression,
          account,
          memoryBytes,
          given: snapshot.session.given,
          onStdout: (stdout) => {
            const { bytes, toc } = tapToc(stdout);
            tapped.resolve(toc);
            return onBytes(bytes);
          },
          signal: both,
        });
        return { warnings: warningsOf(warnings), statements: statementsOf((await tapped.promise).entries) };
      },
      recordManifest: (onProgress) =>
        recordManifest({
          snapshot,
          source: dumped,
          sequences,
          parallel: SESSIONS_BESIDE_DUMP,
          onProgress: ({ bytesDone, bytesTotal }: ContentProgress) =>
            onProgress({ phase: 'manifest', message: 'Counting what is dumped', done: bytesDone, total: bytesTotal, unit: 'bytes' }),
          signal: both,
        }).catch((error: unknown) => {
          throw explained(error);
        }),
      completeManifest: (manifest) => addLaterSequences(snapshot, manifest),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw explained(error);
  }
}

/** Somebody has locked what is dumped, and does not let go. */
function blocked(blockers: readonly Blocker[]): FluxError {
  return new FluxError('dump_failed', `The dump waited for a lock for ${LOCK_WAIT_MS / 1000} seconds. ${blockersInWords(blockers)}`, {
    hint: `Nothing was stored. ${howToUnblock(blockers)}; then try again with \`flux backup create\`.`,
    details: blockedDetails(blockers),
  });
}

/** The part that is wanted, as the snapshot has it. What has changed since it was chosen may have made it impossible. */
async function partOf(session: PostgresSession, { scope, internalRoles }: DumpSource): Promise<ChosenPart | undefined> {
  if (scope === undefined) return undefined;
  return await choosePart(session, scope, internalRoles, 'chosen schemas').catch((error: unknown) => {
    if (!isFluxError(error, 'invalid_request')) throw error;
    throw new FluxError('dump_failed', error.message, {
      hint: `${error.hint ?? ''}\nNothing was stored. Change what is backed up with \`flux project attach\`, then try again with \`flux backup create\`.`.trim(),
      details: error.details,
      cause: error,
    });
  });
}
