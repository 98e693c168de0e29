import type { Workspace } from '../blobs/workspace.ts';
import type { DisposableLimits, DisposableProvider, DisposableRequest } from '../disposable/provider.ts';
import type { Manifest } from '../postgres/manifest.ts';

/** Where archives are restored for inspection, and with which limits. */
export interface VerificationSandbox {
  readonly disposables: DisposableProvider;
  readonly limits: DisposableLimits;
  /** Lends the input files, and stores the output files. */
  readonly workspace: Workspace;
}

/** The server that an archive with this manifest is restored into: of its major version, with the locale of its source. */
export function disposableRequest(
  limits: DisposableLimits,
  { server }: Pick<Manifest, 'server'>,
  archivePath: string,
  signal: AbortSignal,
): DisposableRequest {
  const { major, databaseBytes, moneyLocale } = server;
  return { major, expectedBytes: databaseBytes, limits, locale: server, moneyLocale: moneyLocale ?? undefined, archivePath, signal };
}
