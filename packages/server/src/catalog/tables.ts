import type { BackupId, OperationId, ProjectHash, ProjectId, TokenId, UserId, VerificationId } from '@flux/contract/ids';
import type { BackupKind, EngineKind } from '@flux/contract/labels';
import type { OperationState } from '@flux/contract/operation';
import type { OperationKind } from '@flux/contract/operation-kind';
import type { PushPolicy } from '@flux/contract/project';
import type { AccessLevel } from '@flux/contract/token';
import type { ColumnType, Generated, JSONColumnType } from 'kysely';

type Time = ColumnType<Date, Date, Date>;
type DefaultTime = ColumnType<Date, Date | undefined, Date>;
type OptionalTime = ColumnType<Date | null, Date | null | undefined, Date | null>;
type Json<T extends object | null> = JSONColumnType<T>;
type OptionalJson = ColumnType<object | null, string | null | undefined, string | null>;

/** Rows of the catalog, one interface for each table; the constraints are in `migrations/`. */
export interface CatalogTables {
  users: { id: UserId; name: string; created_at: DefaultTime };
  projects: ProjectsTable;
  tokens: TokensTable;
  token_projects: { token_id: TokenId; project_id: ProjectId };
  backups: BackupsTable;
  copies: CopiesTable;
  backup_manifests: { backup_id: BackupId; sha256: string; manifest: string };
  backup_change_marks: { backup_id: BackupId; marks: Json<object> };
  verifications: VerificationsTable;
  workers: { id: string; lock_key: Generated<number>; started_at: DefaultTime; host: string; pid: number; home: string | null };
  operations: OperationsTable;
  operation_events: { operation_id: OperationId; seq: number; at: DefaultTime; kind: 'progress' | 'state'; data: Json<object> };
  outbox: OutboxTable;
  audit_events: AuditEventsTable;
  idempotency_keys: IdempotencyKeysTable;
  signing_keys: SigningKeysTable;
  receipts: ReceiptsTable;
  installation: InstallationTable;
  schema_version: { single: Generated<boolean>; version: number; readable_by: number };
}

/** What a project has outside of its engine: see the migration `002-migration-state`. */
export type MigrationState = 'copying' | 'staged' | 'source_kept' | 'dropping_source';

export interface ProjectsTable {
  id: ProjectId;
  owner_id: UserId;
  slug: string;
  hash: ProjectHash;
  engine: EngineKind;
  attached: ColumnType<boolean, boolean | undefined, boolean>;
  /** Which part of an attached database is backed up, a `BackupScope`; null for all of it. */
  scope: OptionalJson;
  lifecycle: 'creating' | 'active' | 'removing' | 'removed';
  sealed_secrets: Buffer;
  migration_state: ColumnType<MigrationState | null, MigrationState | null | undefined, MigrationState | null>;
  /** With `refuse`, a push that destroys data needs a proven newest backup. */
  push_policy: Generated<PushPolicy>;
  worker_id: string | null;
  /** Limits that are not the settings of the server: a partial `QuotaLimits`. */
  quota: ColumnType<object, string | undefined, string>;
  /** Size of its database when it was last measured. */
  measured_bytes: ColumnType<number | null, number | null | undefined, number | null>;
  measured_at: OptionalTime;
  created_at: DefaultTime;
  removed_at: OptionalTime;
}

export interface TokensTable {
  id: TokenId;
  user_id: UserId;
  name: string;
  sha256: string;
  access: AccessLevel;
  all_projects: boolean;
  created_at: DefaultTime;
  expires_at: OptionalTime;
  last_used_at: OptionalTime;
  revoked_at: OptionalTime;
}

export interface CopiesTable {
  backup_id: BackupId;
  /** `BlobStore.name` */
  store: string;
  key: string;
  stored_size_bytes: number;
  stored_sha256: string;
  state: 'present' | 'missing' | 'damaged' | 'removed';
  problem: ColumnType<string | null, string | null | undefined, string | null>;
  created_at: Time;
  checked_at: OptionalTime;
}

export interface BackupsTable {
  id: BackupId;
  seq: Generated<number>;
  project_id: ProjectId;
  kind: BackupKind;
  engine: EngineKind;
  status: 'queued' | 'running' | 'complete' | 'failed';
  note: string | null;
  /** `safety`: taken by an operation that was about to replace the data. `imported`: made elsewhere, so it is no way back for that data. */
  origin: Generated<'requested' | 'safety' | 'imported'>;
  /** The operation that creates or created it; null for some that are older than this column. */
  operation_id: ColumnType<OperationId | null, OperationId | null | undefined, OperationId | null>;
  created_at: Time;
  completed_at: OptionalTime;
  failure: ColumnType<string | null, string | null | undefined, string | null>;
  size_bytes: ColumnType<number | null, number | null | undefined, number | null>;
  sha256: ColumnType<string | null, string | null | undefined, string | null>;
  manifest_sha256: ColumnType<string | null, string | null | undefined, string | null>;
  postgres_version: ColumnType<string | null, string | null | undefined, string | null>;
  tables_total: ColumnType<number | null, number | null | undefined, number | null>;
  rows_total: ColumnType<number | null, number | null | undefined, number | null>;
  /** Parsed with `LeftOut` of the contract when it is read. */
  left_out: ColumnType<object, string | undefined, string>;
  artifact_validation: Generated<'pending' | 'artifact_valid' | 'artifact_invalid'>;
  artifact_validated_at: OptionalTime;
  artifact_validation_error: ColumnType<string | null, string | null | undefined, string | null>;
  restore_verification: Generated<'pending' | 'restore_verified' | 'restore_failed' | 'skipped'>;
  restore_verified_at: OptionalTime;
  restore_verification_error: ColumnType<string | null, string | null | undefined, string | null>;
  verified_sha256: ColumnType<string | null, string | null | undefined, string | null>;
  /** When its bytes were last read to the end, whatever was found. */
  bytes_read_at: OptionalTime;
  last_problem: ColumnType<string | null, string | null | undefined, string | null>;
  last_problem_at: OptionalTime;
  pinned: Generated<boolean>;
  expires_at: OptionalTime;
  removed_at: OptionalTime;
  removed_by: ColumnType<string | null, string | null | undefined, string | null>;
}

export interface VerificationsTable {
  id: VerificationId;
  backup_id: BackupId;
  verdict: 'restorable' | 'failed' | 'inconclusive';
  proof: Json<object>;
  started_at: Time;
  finished_at: Time;
}

/** How long an operation takes, roughly: it decides which slots of the workers it waits for. */
export type Pace = 'quick' | SlowerPace;
export type SlowerPace = 'medium' | 'long';

export interface OperationsTable {
  id: OperationId;
  project_id: ProjectId;
  kind: OperationKind;
  /** What no other operation may touch while it is unfinished. */
  touches: 'project' | 'backup';
  state: OperationState;
  backup_id: BackupId | null;
  requested_by: TokenId | null;
  request: Json<object>;
  progress: OptionalJson;
  result: OptionalJson;
  error: OptionalJson;
  /** How often a worker has begun it. */
  attempts: Generated<number>;
  cancel_requested_at: OptionalTime;
  worker_id: ColumnType<string | null, string | null | undefined, string | null>;
  created_at: Time;
  started_at: OptionalTime;
  /** It took longer than a slot could be kept while others waited, and was queued again for slots of this pace. */
  pace: ColumnType<SlowerPace | null, SlowerPace | null | undefined, SlowerPace | null>;
  finished_at: OptionalTime;
}

/** What alerts and other readers have to hear of, written in the transaction of what happened. */
export interface OutboxTable {
  id: Generated<number>;
  at: Time;
  topic: 'operation_ended';
  project_id: ProjectId | null;
  operation_id: OperationId | null;
  payload: Json<object>;
}

export interface AuditEventsTable {
  id: Generated<number>;
  at: DefaultTime;
  user_id: UserId | null;
  token_id: TokenId | null;
  action: string;
  project_id: ProjectId | null;
  subject: string | null;
  details: Json<object>;
}

export interface IdempotencyKeysTable {
  token_id: TokenId;
  key: string;
  request_sha256: string;
  status: number | null;
  sealed_body: Buffer | null;
  location: string | null;
  created_at: DefaultTime;
}

export interface SigningKeysTable {
  id: string;
  public_key: string;
  sealed_private_key: Buffer;
  created_at: DefaultTime;
  retired_at: OptionalTime;
}

export interface ReceiptsTable {
  verification_id: VerificationId;
  project_id: ProjectId;
  seq: number;
  sha256: string;
  previous_sha256: string | null;
  envelope: Json<object>;
  created_at: DefaultTime;
}

/** One row: which installation the catalog belongs to. */
export interface InstallationTable {
  single: Generated<boolean>;
  /** Tells the secret key from another, and nothing of it. */
  key_fingerprint: string;
  /** Id of the data folder whose server made the catalog. */
  home: string;
  /** Id of the folder for backups; null until one was seen. */
  volume: string | null;
  created_at: DefaultTime;
}
