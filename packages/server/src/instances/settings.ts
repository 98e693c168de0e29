import { COMMON_SETTINGS, type ServerSettings } from '../postgres/server-settings.ts';
import type { InstanceSpec } from './instance.ts';

/** The settings that differ between a process and a container. */
export interface ServerPlace {
  /** TCP addresses when the instance has a network at all. */
  readonly tcpAddresses: string;
  readonly socketFolder: string;
  /** Octal mode of the socket; access is controlled by its folder. */
  readonly socketMode: '0700' | '0777';
}

/** The settings of an instance: those of Flux, then those of its specification. None of them is secret. */
export function instanceSettings(spec: InstanceSpec, place: ServerPlace): ServerSettings {
  const maxConnections = Number(spec.settings?.max_connections ?? 100);
  return {
    ...COMMON_SETTINGS,
    listen_addresses: spec.network === 'none' ? '' : place.tcpAddresses,
    unix_socket_directories: place.socketFolder,
    unix_socket_permissions: place.socketMode,
    cluster_name: `flux-${spec.id}`,
    max_connections: String(maxConnections),
    // Whoever takes all connections that there are leaves these to Flux, which administers the server.
    superuser_reserved_connections: String(Math.floor(maxConnections / 10)),
    shared_buffers: '32MB',
    min_wal_size: '80MB',
    max_wal_size: '1GB',
    password_encryption: 'scram-sha-256',
    log_line_prefix: '%m [%p] %q%u@%d ',
    log_statement: 'none',
    ...spec.settings,
  };
}
