import type { DisposableRequest } from '../disposable/provider.ts';
import type { Manifest } from '../postgres/manifest.ts';
import type { BackupDoors } from './doors.ts';

/** What an archive with this manifest is restored into: a server of its major, with the locale of its source. */
export function disposableRequest(
  { verifyLimits }: Pick<BackupDoors, 'verifyLimits'>,
  { server }: Pick<Manifest, 'server'>,
  archivePath: string,
  signal: AbortSignal,
): DisposableRequest {
  const { major, databaseBytes, encoding, collate, ctype } = server;
  return { major, expectedBytes: databaseBytes, limits: verifyLimits, encoding, collate, ctype, archivePath, signal };
}
