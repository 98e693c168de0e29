import type { Manifest, SchemaObject, SequenceValue } from '../manifest.ts';
import { type ExportedSnapshot, estimateBytes } from '../snapshot.ts';
import { unquoteIdentifier } from '../sql/quote.ts';
import type { ContentProgress } from './content.ts';
import { readHostNeeds } from './host-needs.ts';
import { readLeftOut } from './left-out.ts';
import { measure } from './measure.ts';
import { NO_PREREQUISITES, type Prerequisites } from './prerequisites/data.ts';
import { databaseRoles } from './prerequisites/roles.ts';
import { tenantAfter } from './prerequisites/tenant-after.ts';
import { tenantBefore } from './prerequisites/tenant-before.ts';
import { hasExtension, type Scope } from './scope.ts';
import type { ChosenPart } from './selection/part.ts';
import { readSequences } from './sequences.ts';

/** The part of `BackupSource` that a manifest needs. */
export interface ManifestSource {
  readonly kind: Manifest['backupKind'];
  readonly schema?: string | undefined;
  readonly internalRoles: readonly string[];
  /** The part of the database that is dumped; undefined for all of it. */
  readonly part?: ChosenPart | undefined;
}

export interface RecordRequest {
  /** The snapshot that pg_dump dumps. */
  readonly snapshot: ExportedSnapshot;
  readonly source: ManifestSource;
  /** Sequences as `readSequences` found them before pg_dump began; read now when absent. */
  readonly sequences?: readonly SequenceValue[] | undefined;
  /** Sessions that share the work. */
  readonly parallel: number;
  readonly onProgress?: ((progress: ContentProgress) => void) | undefined;
  /** Checked before the work begins; to stop in the middle, abort the signal that the snapshot was opened with. */
  readonly signal?: AbortSignal | undefined;
}

/** A publication, its owner or its comment. */
function isOfPublication({ kind, name }: SchemaObject): boolean {
  return kind === 'publication' || name.startsWith('publication ');
}

/** The scope of a manifest of this source. */
export function scopeOf(source: ManifestSource): Scope {
  return { schema: source.schema ?? null, internalRoles: source.internalRoles, selection: source.part?.selection };
}

/**
 * Records what a dump of the snapshot must contain. Needs the same privileges as pg_dump. May run in parallel with pg_dump,
 * which must not start before `readSequences` has returned; see there.
 *
 * @throws DatabaseError of `pg` when something may not be read; FluxError `instance_unavailable`
 */
export async function recordManifest(request: RecordRequest): Promise<Manifest> {
  const { snapshot, source } = request;
  const { part } = source;
  request.signal?.throwIfAborted();
  const scope = scopeOf(source);
  const sequences = request.sequences ?? (await readSequences(snapshot, scope));
  const measured = await measure(snapshot, scope, {
    ...request,
    withoutRows: new Set(part?.selection.withoutRows),
    reading: ({ runsCode }) => (runsCode ? 'copy' : 'select'),
  });
  const tenant = source.kind === 'tenant_export';
  const before = tenant
    ? await tenantBefore(snapshot.session, scope)
    : { prerequisites: await databaseRoles(snapshot.session), leftOut: [], doubtful: [] };
  const prerequisites: Prerequisites = {
    ...NO_PREREQUISITES,
    ...before.prerequisites,
    ...part?.prerequisites,
    ...(tenant ? await tenantAfter(snapshot.session, scope) : {}),
  };
  const [extensionNames] = await snapshot.session.query<{ names: string[] }>(
    'SELECT array_agg(quote_ident(x)) AS names FROM unnest($1::text[]) x',
    [prerequisites.extensions.filter(({ possibly }) => possibly !== true).map(({ name }) => name)],
  );
  const needed = new Set(extensionNames?.names ?? []);
  return {
    version: 3,
    backupKind: source.kind,
    schema: scope.schema,
    internalRoles: scope.internalRoles,
    takenAt: snapshot.takenAt,
    ...(part === undefined ? {} : { selection: part.selection }),
    server: {
      ...measured.server,
      ...(part === undefined ? {} : { databaseBytes: await estimateBytes(snapshot.session, scope) }),
      needs: await readHostNeeds(snapshot.session, scope),
    },
    tables: measured.tables,
    sequences,
    largeObjects: measured.largeObjects,
    // All tenants of a server share its extensions; only those that this one uses are a condition of its restore.
    objects: measured.objects.filter((object) =>
      object.kind !== 'extension'
        ? part?.selection.publications !== false || !isOfPublication(object)
        : tenant
          ? needed.has(object.name)
          : hasExtension(scope, unquoteIdentifier(object.name)),
    ),
    prerequisites,
    leftOut: [
      ...(part?.leftOut ?? []),
      ...measured.leftOut,
      ...before.leftOut,
      ...before.doubtful,
      ...(await readLeftOut(snapshot.session, scope)),
    ],
  };
}
