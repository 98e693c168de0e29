import type { runProcess } from '../system/process.ts';
import type { SessionAttributes } from './choose-host.ts';
import type { Places } from './session-places.ts';
import { type ChannelBinding, type SslMode, tlsEnvironment } from './tls.ts';

/** The address of a Postgres database and how to log in. The password is never put on a command line. */
export interface PostgresTarget {
  /** A host name or address, or the absolute path of the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  /** The address of `host` that is connected to, which is then looked up no more. `host` still says whose certificate is expected. */
  readonly address?: string | undefined;
  readonly user: string;
  readonly password?: string | undefined;
  readonly database: string;
  /** `sslmode` of libpq; absent means `prefer`, its default. */
  readonly sslMode?: SslMode | undefined;
  /** Certificates of the trusted authorities: an absolute path, or `system` for those of this system. */
  readonly sslRootCert?: string | undefined;
  /** `channel_binding` of libpq; absent means `prefer`, its default. Our own sessions have it only where it is required. */
  readonly channelBinding?: ChannelBinding | undefined;
  /** `options` of libpq: command line options that the server gets when a session begins, such as `-c search_path=app`. */
  readonly options?: string | undefined;
  readonly connectTimeoutMs?: number | undefined;
  /** How long a session may last that only looks; without a limit when absent. See `ForeignRules`. */
  readonly lookWithinMs?: number | undefined;
  /** Bounds our sessions and programs on the server; absent where the server is only ours. */
  readonly places?: Places | undefined;
  /** What `pg_stat_activity` calls the session; absent means `flux`. */
  readonly applicationName?: string | undefined;
  /** Further hosts of the same database. `chooseHost` takes one; whatever connects to a target takes `host` alone. */
  readonly otherHosts?: readonly { readonly host: string; readonly port: number; readonly address?: string }[] | undefined;
  /** What `chooseHost` asks of a host; absent for any. */
  readonly sessionAttributes?: SessionAttributes | undefined;
}

/** The programs of one major version: absolute paths on this host, or wherever `run` runs them. */
export interface PostgresTools {
  readonly major: number;
  /** As printed by `postgres --version`, for example `15.18`. */
  readonly version: string;
  readonly binFolder: string;
  readonly postgres: string | undefined;
  readonly initdb: string | undefined;
  readonly pgDump: string | undefined;
  readonly pgRestore: string | undefined;
  /** Runs one of these programs elsewhere; absent when they are on this host. */
  readonly run?: typeof runProcess;
}

/** Finds programs by major version. */
export interface PostgresToolbox {
  /** Major versions with all server and client programs, ascending. */
  majors(): readonly number[];
  /**
   * @param need `server` for postgres and initdb, `client` for pg_dump and pg_restore
   * @throws FluxError `postgres_missing` naming the package to install and the folders that were searched
   */
  require(major: number, need: 'server' | 'client' | 'both'): PostgresTools;
}

/** The parts of a target as libpq environment variables, for pg_dump and pg_restore. */
export function libpqEnvironment(target: PostgresTarget): Record<string, string> {
  return {
    PGHOST: target.host,
    ...(target.address === undefined ? {} : { PGHOSTADDR: target.address }),
    PGPORT: String(target.port),
    PGUSER: target.user,
    PGDATABASE: target.database,
    PGAPPNAME: target.applicationName ?? 'flux',
    PGCONNECT_TIMEOUT: String(Math.ceil((target.connectTimeoutMs ?? 15_000) / 1000)),
    ...(target.channelBinding === undefined ? {} : { PGCHANNELBINDING: target.channelBinding }),
    ...(target.options === undefined ? {} : { PGOPTIONS: target.options }),
    // Without these two, libpq would read files of the account that runs the control plane. The first must be a path that cannot
    // exist: libpq prints a warning about anything that exists and is not a plain file.
    PGPASSFILE: '/dev/null/none',
    PGSERVICEFILE: '/dev/null',
    ...tlsEnvironment(target),
    ...(target.password === undefined ? {} : { PGPASSWORD: target.password }),
  };
}
