/** What the newest backup allows, from best to worst. */
export const TRUST_TIERS = [
  'restorable',
  'not_restore_verified',
  'restore_failed',
  'artifact_pending',
  'pipeline_incomplete',
  'latest_not_complete',
  'no_backups',
] as const;

/** A trust tier, as sent on the wire. */
export type TrustTier = (typeof TRUST_TIERS)[number];

/** Kind of a backup: a whole database (v1) or the export of a tenant schema (v2). */
export type BackupKind = 'project_db' | 'tenant_export';

/** How a project lives in Postgres. */
export type EngineKind = 'v1_dedicated' | 'v2_shared';

/** The kind of backup that an engine produces. */
export function backupKindOf(engine: EngineKind): BackupKind {
  return engine === 'v1_dedicated' ? 'project_db' : 'tenant_export';
}

const LABELS: Record<TrustTier, Record<BackupKind, string>> = {
  restorable: { project_db: 'Restorable', tenant_export: 'Restorable tenant export' },
  not_restore_verified: { project_db: 'Created, not restore-verified', tenant_export: 'Created tenant export, not restore-verified' },
  restore_failed: { project_db: 'Restore verification failed', tenant_export: 'Tenant export restore verification failed' },
  artifact_pending: { project_db: 'Validating backup artifact', tenant_export: 'Validating tenant export artifact' },
  pipeline_incomplete: { project_db: 'Backup artifact not valid', tenant_export: 'Tenant export artifact not valid' },
  latest_not_complete: { project_db: 'Latest backup not complete', tenant_export: 'Latest tenant export not complete' },
  no_backups: { project_db: 'No backups', tenant_export: 'No tenant exports' },
};

/** What is shown wherever an imported backup is trusted. */
export const IMPORTED_NOTE = 'Imported: compared with what the archive itself holds, not with a source.';

/** The label that users see for a tier. */
export function trustLabel(tier: TrustTier, kind: BackupKind): string {
  return LABELS[tier][kind];
}

/** The text after `Verification:` in the summary of a list. */
export function verificationLine(tier: TrustTier, kind: BackupKind): string {
  switch (tier) {
    case 'restorable':
      return 'Restore-verified';
    case 'not_restore_verified':
      return 'Not restore-verified';
    case 'restore_failed':
      return trustLabel(tier, kind);
    case 'artifact_pending':
      return 'Validation in progress';
    case 'pipeline_incomplete':
      return 'Artifact not valid';
    case 'latest_not_complete':
      return 'Backup not complete';
    case 'no_backups':
      return 'No backup yet';
  }
}

/** The text after `Safe destructive actions:`. */
export function safeActionsLine(tier: TrustTier): string {
  return tier === 'restorable' ? 'Allowed' : 'Blocked until verification';
}
