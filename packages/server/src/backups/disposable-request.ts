import type { Workspace } from '../blobs/workspace.ts';
import type { DisposableLimits, DisposableProvider, DisposableRequest } from '../disposable/provider.ts';
import type { Manifest } from '../postgres/manifest.ts';

/** Where archives are restored to be looked at, and what they may use there. */
export interface VerificationSandbox {
  readonly disposables: DisposableProvider;
  readonly limits: DisposableLimits;
  /** Lends the files that go in, and takes those that come out. */
  readonly workspace: Workspace;
}

/** What an archive with this manifest is restored into: a server of its major, with the locale of its source. */
export function disposableRequest(
  limits: DisposableLimits,
  { server }: Pick<Manifest, 'server'>,
  archivePath: string,
  signal: AbortSignal,
): DisposableRequest {
  const { major, databaseBytes, encoding, collate, ctype } = server;
  return { major, expectedBytes: databaseBytes, limits, encoding, collate, ctype, archivePath, signal };
}
