import { COMMON_SETTINGS, type ServerSettings } from '../postgres/server-settings.ts';
import type { DisposableLimits } from './provider.ts';

const MAX_SHARED_BUFFERS_BYTES = 128 * 2 ** 20;

/**
 * The settings of a disposable server, chosen for speed: it is discarded after one restore, so its data need not survive a crash.
 *
 * @param place the socket as the server sees it; access to the folder around it is what decides who may connect
 */
export function disposableSettings(
  limits: DisposableLimits,
  place: { readonly socketFolder: string; readonly socketMode: '0700' | '0777' },
): ServerSettings {
  const sharedBuffersBytes = Math.min(MAX_SHARED_BUFFERS_BYTES, limits.memoryBytes / 8);
  return {
    ...COMMON_SETTINGS,
    listen_addresses: '',
    unix_socket_directories: place.socketFolder,
    unix_socket_permissions: place.socketMode,
    shared_buffers: `${Math.floor(sharedBuffersBytes / 1024)}kB`,
    fsync: 'off',
    full_page_writes: 'off',
    synchronous_commit: 'off',
    wal_level: 'minimal',
    max_wal_senders: '0',
    max_wal_size: '16GB',
    checkpoint_timeout: '1h',
    autovacuum: 'off',
    jit: 'off',
    max_parallel_maintenance_workers: '0',
    max_connections: '32',
    // A restore in one transaction holds a lock on every table.
    max_locks_per_transaction: '4096',
    // A server that restarts after a crash of a backend has lost all data, since none of it is durable.
    restart_after_crash: 'off',
    // Only the SQLSTATE, to distinguish a full disk from a broken archive.
    log_line_prefix: '%e ',
    log_checkpoints: 'off',
  };
}
