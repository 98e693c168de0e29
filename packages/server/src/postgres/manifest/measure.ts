import type { Manifest, MeasuredDatabase, SchemaObject } from '../manifest.ts';
import { type ExportedSnapshot, openSnapshot } from '../snapshot.ts';
import type { PostgresTarget } from '../target.ts';
import { type ContentProgress, type ContentRequest, readContent } from './content.ts';
import { readLargeObjects } from './large-objects.ts';
import { readObjects } from './objects/read.ts';
import { isDatabaseWide, type Scope } from './scope.ts';
import { readSequences } from './sequences.ts';
import { readServerFacts } from './server-facts.ts';

export interface MeasureRequest {
  /** The superuser of the restored database. */
  readonly target: PostgresTarget;
  readonly manifest: Pick<Manifest, 'schema' | 'internalRoles' | 'selection' | 'tables'>;
  /** In a `live` server nothing is planned that would run functions of the database's owner, see `readContent`. */
  readonly server: 'live' | 'disposable';
  readonly parallel: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ContentProgress) => void) | undefined;
}

/** Runs the queries of `recordManifest` in a restored database. @throws FluxError `instance_unavailable`; DatabaseError of `pg` */
export async function measureRestored(request: MeasureRequest): Promise<MeasuredDatabase> {
  using places = await request.target.places?.reserve(2, request.signal);
  await using snapshot = await openSnapshot({ ...request.target, places }, { signal: request.signal });
  const { schema, internalRoles, selection } = request.manifest;
  const scope: Scope = { schema, internalRoles, selection };
  const sequences = await readSequences(snapshot, scope);
  const { tables } = request.manifest;
  const copied = new Set(tables.filter(({ digestOf }) => digestOf === 'copy').map(({ name }) => name));
  const reading: ContentRequest['reading'] = ({ name, runsCode }) => {
    if (copied.has(name)) return 'copy';
    return runsCode && request.server === 'live' ? 'count' : 'select';
  };
  const { leftOut: _, ...measured } = await measure(snapshot, scope, { ...request, reading });
  return { ...measured, sequences };
}

/** What is read on both sides of a comparison. */
export interface Measured {
  readonly server: Manifest['server'];
  readonly tables: Manifest['tables'];
  readonly largeObjects: Manifest['largeObjects'];
  readonly objects: readonly SchemaObject[];
  readonly leftOut: Manifest['leftOut'];
}

/** Reads objects, tables and large objects under a snapshot. */
export async function measure(
  snapshot: ExportedSnapshot,
  scope: Scope,
  options: Pick<MeasureRequest, 'parallel' | 'onProgress'> & Pick<ContentRequest, 'reading' | 'withoutRows'>,
): Promise<Measured> {
  const { session } = snapshot;
  const server = await readServerFacts(session);
  // The session of the snapshot reads neither objects nor tables: its transaction stays open, and would keep its locks on them.
  const workers = await snapshot.openWorkers(Math.max(1, options.parallel));
  try {
    const { objects, leftOut } = await readObjects(workers, scope, server.major, snapshot.releaseLocks);
    const large = isDatabaseWide(scope) ? await readLargeObjects(session) : undefined;
    const tables = await readContent({
      snapshot,
      workers,
      scope,
      major: server.major,
      reading: options.reading,
      withoutRows: options.withoutRows,
      onProgress: options.onProgress,
    });
    return { server, tables, objects, largeObjects: large?.value ?? null, leftOut: [...(large?.leftOut ?? []), ...leftOut] };
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
  }
}
