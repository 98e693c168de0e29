import type { DatabaseLocale } from './database-locale.ts';
import type { HostNeeds } from './manifest/host-needs.ts';
import type { Prerequisites } from './manifest/prerequisites/data.ts';
import type { Selection } from './manifest/selection/data.ts';

/** The content of one table in the snapshot. */
export interface TableContent {
  /** `schema.name`, each part quoted when it needs to be (as quote_ident does). */
  readonly name: string;
  readonly kind: 'table' | 'partition' | 'materialized_view';
  readonly rows: number;
  /** Sum over all rows of a 64-bit hash of the row's text, as a decimal text; does not depend on row order. Null when it was not computed. */
  readonly digest: string | null;
  /** The same over the stored generated columns only, which a restore recomputes. Null when it was not computed, absent when the table has none. */
  readonly generatedDigest?: string | null | undefined;
  /** `copy` when the digest is that of the lines of COPY, see `readContent`; absent when the server has computed it. */
  readonly digestOf?: 'copy' | undefined;
  /** How a restore of it is judged; the reason is given when it is not `exact`. */
  readonly comparison: 'exact' | 'recomputed' | 'not_dumped';
  readonly reason?: string | undefined;
  /** Name of the extension that the table belongs to, when that is why it is not dumped. */
  readonly extension?: string | undefined;
  /** The partitioned table at the top, named like `name`; absent for what is not a partition. */
  readonly root?: string | undefined;
  /** True for a materialized view whose query reads a foreign table, directly or through others. Absent otherwise. */
  readonly readsOtherServers?: true | undefined;
  /** Of a configuration table of an extension: its rows that the extension does not have dumped. Absent when it has all of them dumped. */
  readonly undumped?: { readonly rows: number; readonly digest: string } | undefined;
}

/** One object of the database, as its definition; two objects are equal when name and definition are. */
export interface SchemaObject {
  /** table, column, constraint, index, view, materialized_view, function, trigger, policy, sequence, type, domain, enum, extension, schema, comment, grant, owner, row_security, publication, event_trigger, statistics, rule, cast, operator, default_privileges... */
  readonly kind: string;
  readonly name: string;
  readonly definition: string;
}

/** Value of a sequence; sequences are not transactional, so a busy one advances while pg_dump is running. */
export interface SequenceValue {
  readonly name: string;
  /** last_value as a decimal text, read before pg_dump began. */
  readonly lastValue: string;
  readonly isCalled: boolean;
  /** Step of the sequence as a decimal text; its sign is the direction. */
  readonly increment: string;
  readonly cycles: boolean;
  /** The same, read after pg_dump had ended; absent when it could not be read. The dumped value lies between the two. */
  readonly after?: { readonly lastValue: string; readonly isCalled: boolean } | undefined;
}

/** Something of the source that the archive does not contain, or that a restore of it cannot bring back. */
export interface LeftOut {
  /** index, trigger, subscription, user_mapping, tablespace, sequence_value, warning... */
  readonly kind: string;
  /** The object, as SQL where it has a name there; empty for what has none. */
  readonly name: string;
  /** Why, and what to do about it, in sentences. */
  readonly reason: string;
}

/** What pg_dump wrote about objects of one kind in one schema into the table of contents of the archive, as digests. */
export interface DumpedStatements {
  /** As pg_dump names it: TABLE, DEFAULT, INDEX ATTACH... */
  readonly kind: string;
  /** Null for what belongs to no schema. */
  readonly schema: string | null;
  /** The tag of each entry, which is a plain name, with that of its table before it for a part of a table; and its SHA-256 in base64url. */
  readonly digests: readonly (readonly [name: string, sha256: string])[];
}

/** What the artifact must contain, recorded in the snapshot that was dumped. Stored as `<backupId>.manifest.json`. */
export interface Manifest {
  readonly version: 3;
  /** `archive`: read from what an imported archive restored to. Absent when it was recorded in the source. */
  readonly madeFrom?: 'archive' | undefined;
  readonly backupKind: 'project_db' | 'tenant_export';
  /** The tenant schema; null for a whole database. */
  readonly schema: string | null;
  /** The part of the database that is backed up; absent for all of it. */
  readonly selection?: Selection | undefined;
  /** Roles of Flux, whose grants are not recorded on either side. */
  readonly internalRoles: readonly string[];
  readonly takenAt: string;
  readonly server: DatabaseLocale & {
    /** server_version, for example `15.18`. */
    readonly version: string;
    readonly major: number;
    readonly collationVersion: string | null;
    readonly database: string;
    /** pg_database_size at the time, for planning. */
    readonly databaseBytes: number;
    /** lc_monetary of a session without settings of ours, such as pg_dump's; null where nothing is of type money. */
    readonly moneyLocale?: string | null | undefined;
    /** What a restore needs of its server; absent in manifests of older releases, and in what is measured after a restore. */
    readonly needs?: HostNeeds | undefined;
  };
  readonly tables: readonly TableContent[];
  readonly sequences: readonly SequenceValue[];
  readonly largeObjects: { readonly count: number; readonly digest: string | null } | null;
  readonly objects: readonly SchemaObject[];
  /** The prerequisites of a restore that the archive does not contain. */
  readonly prerequisites: Prerequisites;
  /** What the archive does not contain or could not be recorded. */
  readonly leftOut: readonly LeftOut[];
  /**
   * What pg_dump said of every object whose definition is compared, read while the archive was written: an archive that somebody changed
   * afterwards must not speak for itself. Absent in manifests of older releases.
   */
  readonly statements?: readonly DumpedStatements[] | undefined;
}

/** The result of the same queries in a restored database. */
export type MeasuredDatabase = Pick<Manifest, 'server' | 'tables' | 'sequences' | 'largeObjects' | 'objects'>;

/** How content is digested; both sides of a comparison set exactly this. Text output follows these settings. */
export const DIGEST_SETTINGS: Readonly<Record<string, string>> = {
  search_path: '',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  extra_float_digits: '3',
  bytea_output: 'hex',
  lc_monetary: 'C',
  xmloption: 'content',
  row_security: 'off',
  // Reading a large table may take hours; the time limit of a backup, a verification or a restore bounds it.
  statement_timeout: '0',
  lock_timeout: '30s',
  idle_in_transaction_session_timeout: '0',
};
