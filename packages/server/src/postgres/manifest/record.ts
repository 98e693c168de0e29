import type { PostgresSession } from '../connect.ts';
import type { Manifest, SequenceValue } from '../manifest.ts';
import type { ExportedSnapshot } from '../snapshot.ts';
import type { ContentProgress } from './content.ts';
import { readHostNeeds } from './host-needs.ts';
import { measure } from './measure.ts';
import { NO_PREREQUISITES, type Prerequisites } from './prerequisites/data.ts';
import { databaseRoles } from './prerequisites/roles.ts';
import { tenantAfter } from './prerequisites/tenant-after.ts';
import { tenantBefore } from './prerequisites/tenant-before.ts';
import type { Scope } from './scope.ts';
import { readSequences } from './sequences.ts';

/** The part of `BackupSource` that a manifest needs. */
export interface ManifestSource {
  readonly kind: Manifest['backupKind'];
  readonly schema?: string | undefined;
  readonly internalRoles: readonly string[];
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

/** The scope of a manifest of this source. */
export function scopeOf(source: ManifestSource): Scope {
  return { schema: source.schema ?? null, internalRoles: source.internalRoles };
}

/**
 * Records what a dump of the snapshot must contain. Needs the same privileges as pg_dump. May run in parallel with pg_dump,
 * which must not start before `readSequences` has returned; see there.
 *
 * @throws DatabaseError of `pg` when something may not be read; FluxError `instance_unavailable`
 */
export async function recordManifest(request: RecordRequest): Promise<Manifest> {
  const { snapshot, source } = request;
  request.signal?.throwIfAborted();
  const scope = scopeOf(source);
  const sequences = request.sequences ?? (await readSequences(snapshot, scope));
  const measured = await measure(snapshot, scope, { ...request, reading: ({ runsCode }) => (runsCode ? 'copy' : 'select') });
  const tenant = source.kind === 'tenant_export';
  const before = tenant ? await tenantBefore(snapshot.session, scope) : { prerequisites: await databaseRoles(snapshot.session), notes: [] };
  const prerequisites: Prerequisites = {
    ...NO_PREREQUISITES,
    ...before.prerequisites,
    ...(tenant ? await tenantAfter(snapshot.session, scope) : {}),
  };
  const [extensionNames] = await snapshot.session.query<{ names: string[] }>(
    'SELECT array_agg(quote_ident(x)) AS names FROM unnest($1::text[]) x',
    [prerequisites.extensions.map(({ name }) => name)],
  );
  const needed = new Set(extensionNames?.names ?? []);
  return {
    version: 2,
    backupKind: source.kind,
    schema: scope.schema,
    internalRoles: scope.internalRoles,
    takenAt: snapshot.takenAt,
    server: { ...measured.server, needs: await readHostNeeds(snapshot.session, scope) },
    tables: measured.tables,
    sequences,
    largeObjects: measured.largeObjects,
    // All tenants of a server share its extensions; only those that this one uses are a condition of its restore.
    objects: tenant ? measured.objects.filter(({ kind, name }) => kind !== 'extension' || needed.has(name)) : measured.objects,
    prerequisites,
    notes: [...measured.notes, ...before.notes, ...(await omissions(snapshot.session, scope))],
  };
}

/** Objects that exist but are in no archive of this kind, in sentences. */
async function omissions(session: PostgresSession, scope: Scope): Promise<string[]> {
  const rows = await session.query<{ note: string }>(
    `SELECT 'The index ' || i.indexrelid::regclass::text || ' is not valid; pg_dump leaves it out.' AS note
       FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE NOT i.indisvalid AND c.relkind = 'i' AND n.nspname !~ '^pg_' AND ($1::text IS NULL OR n.nspname = $1::text)
     UNION ALL
     SELECT 'The publication ' || quote_ident(p.pubname) || ' contains tables of the tenant; a tenant export contains no publications.'
       FROM pg_publication p WHERE $1::text IS NOT NULL AND EXISTS (SELECT FROM pg_publication_tables t WHERE t.pubname = p.pubname AND t.schemaname = $1::text)
     UNION ALL
     SELECT 'The database has its own settings (ALTER DATABASE or ALTER ROLE ... IN DATABASE); only pg_restore --create restores them.'
       WHERE $1::text IS NULL AND EXISTS (SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = current_database())
     UNION ALL
     SELECT 'The subscription ' || quote_ident(s.subname) || ' is restored disabled and without its connection, if at all.'
       FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database() AND $1::text IS NULL`,
    [scope.schema],
  );
  const notes = rows.map(({ note }) => note);
  if (scope.schema !== null) notes.push('Large objects belong to no schema; a tenant export contains none.');
  return notes;
}
