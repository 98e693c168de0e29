import type { Workspace } from '../blobs/workspace.ts';
import type { DisposableLimits, DisposableProvider, DisposableRequest } from '../disposable/provider.ts';
import { extensionsOf } from '../postgres/manifest/facts.ts';
import type { Manifest } from '../postgres/manifest.ts';
import type { RestoreTimes } from './restore/time-limit.ts';

/** Limits of one restore in a sandbox. Its time follows from the size of what is restored. */
export interface SandboxLimits extends Omit<DisposableLimits, 'wallClockMs'> {
  /** Time for the smallest backup, in milliseconds. */
  readonly minTimeMs: number;
  /** Time that no size exceeds, in milliseconds. */
  readonly maxTimeMs: number;
}

/** Time for each MiB of the database on top of the least: what a slow disk with many indexes takes. */
const MS_PER_MIB = 1000;

/** How long the restore and comparison of a database of this size may take, in milliseconds. */
function timeLimitFor({ minTimeMs, maxTimeMs }: Pick<SandboxLimits, 'minTimeMs' | 'maxTimeMs'>, databaseBytes: number): number {
  return Math.min(maxTimeMs, Math.round(minTimeMs + (databaseBytes / 2 ** 20) * MS_PER_MIB));
}

/** The limits for a database of this size. */
export function limitsFor(
  { minTimeMs, maxTimeMs, ...limits }: SandboxLimits,
  databaseBytes: number,
  timeLimitMs: number | undefined,
): DisposableLimits {
  return { ...limits, wallClockMs: timeLimitMs ?? timeLimitFor({ minTimeMs, maxTimeMs }, databaseBytes) };
}

/** Where archives are restored for inspection, and with which limits. */
export interface VerificationSandbox {
  readonly disposables: DisposableProvider;
  readonly limits: SandboxLimits;
  /** Lends the input files, and stores the output files. */
  readonly workspace: Workspace;
  /** Bounds of the time of a restore elsewhere, which follows from that of a verification of the same size. */
  readonly restoreTimes: RestoreTimes;
}

/**
 * The server that an archive with this manifest is restored into: of its major version, with the locale of its source.
 *
 * @param timeLimitMs instead of what follows from the size
 */
export function disposableRequest(
  limits: SandboxLimits,
  { server, backupKind, objects, prerequisites }: Pick<Manifest, 'server' | 'backupKind' | 'objects' | 'prerequisites'>,
  archivePath: string,
  signal: AbortSignal,
  timeLimitMs?: number,
): DisposableRequest {
  const { major, databaseBytes, moneyLocale, needs } = server;
  return {
    major,
    expectedBytes: databaseBytes,
    limits: limitsFor(limits, databaseBytes, timeLimitMs),
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
