import type { Workspace } from '../blobs/workspace.ts';
import type { DisposableLimits, DisposableProvider, DisposableRequest } from '../disposable/provider.ts';
import { extensionsOf } from '../postgres/manifest/facts.ts';
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
  { server, backupKind, objects, prerequisites }: Pick<Manifest, 'server' | 'backupKind' | 'objects' | 'prerequisites'>,
  archivePath: string,
  signal: AbortSignal,
): DisposableRequest {
  const { major, databaseBytes, moneyLocale, needs } = server;
  return {
    major,
    expectedBytes: databaseBytes,
    limits,
    locale: server,
    moneyLocale: moneyLocale ?? undefined,
    // All tenants of a server share its extensions; those that one of them needs are among its prerequisites.
    extensions:
      backupKind === 'tenant_export' ? prerequisites.extensions.filter(({ possibly }) => possibly !== true) : extensionsOf(objects),
    needs,
    archivePath,
    signal,
  };
}
