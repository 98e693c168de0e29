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

/** What is read on both sides of a comparison. */
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
  const workers = await snapshot.openWorkers(Math.max(0, options.parallel - 1));
  try {
    const sessions = [session, ...workers];
    const objects = await readObjects(sessions, scope, server.major);
    // Large objects belong to no schema, so a tenant export contains none.
    const large = scope.schema === null ? await readLargeObjects(session) : undefined;
    const tables = await readContent({ sessions, scope, major: server.major, onProgress: options.onProgress });
    return { server, tables, objects, largeObjects: large?.value ?? null, notes: large?.note === undefined ? [] : [large.note] };
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
  }
}
