/** Branded identifiers: a `ProjectId` cannot be passed where a `BackupId` is expected. */
type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** UUID of a project; its first 12 hex digits are the short id of a tenant schema. */
export type ProjectId = Brand<string, 'ProjectId'>;
/** Seven lowercase hex digits that the control plane assigns to a project. */
export type ProjectHash = Brand<string, 'ProjectHash'>;
/** UUIDv7 of a backup, so that ids sort by creation. */
export type BackupId = Brand<string, 'BackupId'>;
/** UUIDv7 of an operation. */
export type OperationId = Brand<string, 'OperationId'>;
/** UUIDv7 of a verification, which is also the id of its receipt. */
export type VerificationId = Brand<string, 'VerificationId'>;
/** UUIDv7 of an API token. */
export type TokenId = Brand<string, 'TokenId'>;
/** UUIDv7 of a user. */
export type UserId = Brand<string, 'UserId'>;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const HASH = /^[0-9a-f]{7}$/;
const SLUG = /^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$/;

/** The hash in a `flux.json` that `flux init` has not completed yet. */
export const PLACEHOLDER_HASH = 'REPLACE_AFTER_FLUX_INIT';

/** Whether a hash is still the placeholder, in whatever case. */
export function isPlaceholderHash(text: string): boolean {
  return text.trim().toUpperCase() === PLACEHOLDER_HASH;
}

/** Whether a text is a project hash: exactly seven lowercase hex digits. */
export function isProjectHash(text: string): text is ProjectHash {
  return HASH.test(text);
}

/** Whether a text is a slug: 1 to 40 of a-z, 0-9 and inner hyphens, starting with a letter. */
export function isSlug(text: string): boolean {
  return SLUG.test(text);
}

/**
 * The slug that a name for people becomes: `Bloom Atelier` is `bloom-atelier`, `Café №1` is `cafe-no1`. A slug stays as it is. The
 * result may still not be one (`isSlug`): nothing is left of some names, and a digit may come first.
 */
export function toSlug(name: string): string {
  if (isSlug(name)) return name;
  return name
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
}

/** Whether a text is a backup id (a UUID in lowercase). */
export function isBackupId(text: string): text is BackupId {
  return UUID.test(text);
}

/** Whether a text is a UUID in lowercase. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}
