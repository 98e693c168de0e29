import type { PostgresSession } from '../connect.ts';
import type { Manifest, MeasuredDatabase, SchemaObject } from '../manifest.ts';
import { type ExportedSnapshot, openSnapshot } from '../snapshot.ts';
import type { PostgresTarget } from '../target.ts';
import { type ContentProgress, readContent } from './content.ts';
import { readLargeObjects } from './large-objects.ts';
import { readObjects } from './objects/read.ts';
import type { Scope } from './scope.ts';
import { readSequences } from './sequences.ts';
import { readServerFacts } from './server-facts.ts';

export interface MeasureRequest {
  /** The superuser of the restored database. */
  readonly target: PostgresTarget;
  readonly manifest: Pick<Manifest, 'schema' | 'internalRoles'>;
  readonly parallel: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ContentProgress) => void) | undefined;
}

/** Runs the queries of `recordManifest` in a restored database. @throws FluxError `instance_unavailable`; DatabaseError of `pg` */
export async function measureRestored(request: MeasureRequest): Promise<MeasuredDatabase> {
  await using snapshot = await openSnapshot(request.target, { signal: request.signal });
  const scope: Scope = { schema: request.manifest.schema, internalRoles: request.manifest.internalRoles };
  const sequences = await readSequences(snapshot.session, scope);
  const { notes: _, ...measured } = await measure(snapshot, scope, request);
  return { ...measured, sequences };
}

/** What both sides of a comparison read. */
export interface Measured {
  readonly server: Manifest['server'];
  readonly tables: Manifest['tables'];
  readonly largeObjects: Manifest['largeObjects'];
  readonly objects: readonly SchemaObject[];
  readonly notes: readonly string[];
}

/** Reads objects, tables and large objects under a snapshot. */
export async function measure(
  snapshot: ExportedSnapshot,
  scope: Scope,
  options: Pick<MeasureRequest, 'parallel' | 'onProgress'>,
): Promise<Measured> {
  const { session } = snapshot;
  const server = await readServerFacts(session);
  const workers = await snapshot.openWorkers(Math.max(1, options.parallel));
  try {
    const content = readContent({
      session: workers[0] as PostgresSession,
      workers,
      scope,
      major: server.major,
      onProgress: options.onProgress,
    });
    const rest = async () => {
      const objects = await readObjects(session, scope, server.major);
      // Large objects belong to no schema, so that no tenant export holds any.
      const large = scope.schema === null ? await readLargeObjects(session) : undefined;
      return { objects, large };
    };
    const [tables, { objects, large }] = await settleBoth(content, rest());
    return { server, tables, objects, largeObjects: large?.value ?? null, notes: large?.note === undefined ? [] : [large.note] };
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
  }
}

/** Waits for both before the first error is thrown, so that nothing runs on a connection that its owner closes. */
async function settleBoth<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  const results = await Promise.allSettled([a, b]);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return [await a, await b];
}
