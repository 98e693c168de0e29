import { isFluxError } from '@flux/contract/errors';
import type { DisposableInstance } from '../disposable/provider.ts';
import { readArchiveToc } from '../postgres/archive/toc.ts';
import { walkArchiveStream } from '../postgres/archive/walk.ts';
import { connectPostgres } from '../postgres/connect.ts';
import { dumpSettings, schemaDumpArguments } from '../postgres/dump.ts';
import { type ChangedDefinition, type JudgedDefinitions, keyOf, type Undumped } from '../postgres/manifest/changed-definitions.ts';
import { findTakenFromParents } from '../postgres/manifest/from-parents.ts';
import { findEqualDefinitions } from '../postgres/manifest/read-back.ts';
import { findSameStatements, statementsOf } from '../postgres/manifest/statements.ts';
import type { DumpedStatements, Manifest } from '../postgres/manifest.ts';

/** An archive, and what was recorded when it was made. */
export interface ArchivedDefinitions {
  readonly path: string;
  readonly manifest: Pick<Manifest, 'schema' | 'selection' | 'objects' | 'statements'>;
}

/**
 * Asks Postgres whether definitions that differ after a restore are a difference: first its parser, then its pg_dump. The parser says that
 * both are the same. pg_dump says the same of both when it has no words for the difference, so that no archive carries it. What a child
 * table takes from its parent is none either, as long as the archive still says what pg_dump said.
 *
 * @param instance into which the archive was restored
 * @throws FluxError `verification_inconclusive`, `instance_unavailable`; whatever breaks the connection
 */
export async function judgeDefinitions(
  instance: Pick<DisposableInstance, 'superuser' | 'pgDump'>,
  { path, manifest }: ArchivedDefinitions,
  changed: readonly ChangedDefinition[],
  signal?: AbortSignal,
): Promise<JudgedDefinitions> {
  const equal = await findEqualDefinitions(instance.superuser, changed, signal);
  const others = changed.filter((object) => !equal.has(keyOf(object)));
  if (others.length === 0 || manifest.statements === undefined) return { equal, undumped: new Map() };
  const taken = findTakenFromParents(manifest, others);
  const archived = taken.length === 0 ? [] : statementsOf((await readArchiveToc(path, signal)).entries);
  const after = await dumpStatements(instance, manifest, signal);
  const undumped = new Map<string, Undumped>([
    ...findSameStatements(manifest, archived, taken).map((object) => [keyOf(object), 'taken from the parent'] as const),
    ...findSameStatements(manifest, after ?? [], others).map((object) => [keyOf(object), 'same statements'] as const),
  ]);
  return { equal, undumped };
}

/** What pg_dump says of the restored database; undefined when it cannot dump it, which excuses nothing. */
async function dumpStatements(
  instance: Pick<DisposableInstance, 'superuser' | 'pgDump'>,
  scope: Pick<Manifest, 'schema' | 'selection'>,
  signal: AbortSignal | undefined,
): Promise<readonly DumpedStatements[] | undefined> {
  await using session = await connectPostgres(instance.superuser, { signal });
  let statements: readonly DumpedStatements[] | undefined;
  const { exitCode } = await instance.pgDump({
    args: schemaDumpArguments(scope),
    settings: dumpSettings(session),
    onStdout: async (stdout) => {
      statements = await readStatements(stdout);
    },
  });
  return exitCode === 0 ? statements : undefined;
}

/** Reads all of it; undefined when it is no archive. That says nothing of the archive that is verified, which is another one. */
async function readStatements(stdout: AsyncIterable<Buffer>): Promise<readonly DumpedStatements[] | undefined> {
  const pieces = stdout[Symbol.asyncIterator]();
  try {
    return statementsOf((await walkArchiveStream({ [Symbol.asyncIterator]: () => pieces })).entries);
  } catch (error) {
    if (!isFluxError(error, 'artifact_invalid')) throw error;
    // A program whose output nobody reads does not end.
    while ((await pieces.next()).done !== true);
    return undefined;
  }
}
