import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import type { EngineKind } from '@flux/contract/labels';
import { ACCESS_LEVELS, type AccessLevel } from '@flux/contract/token';
import * as z from 'zod';
import { findInvalidRule } from './postgres/addresses.ts';
import { nearestWord } from './system/nearest-word.ts';

/** Everything that can be set, checked and frozen. Made once by `readConfig`; nothing else reads the environment. */
export interface Config {
  readonly dataFolder: string;
  readonly http: {
    /** Names that the API is reached by, besides addresses, `localhost` and the name of this host; `*` for any. */
    readonly hosts: readonly string[];
    readonly metrics: 'token' | 'loopback' | 'open' | 'off';
    /** Requests a minute of one token, and of one address without a token; undefined for no limit. */
    readonly ratePerMinute: number | undefined;
    readonly connections: { readonly all: number; readonly perAddress: number };
  };
  /** The access level that a token needs to download a dump. */
  readonly downloadAccess: AccessLevel;
  readonly listen: { readonly host: string; readonly port: number };
  /** Undefined: an embedded instance in the data folder. */
  readonly catalogUrl: string | undefined;
  readonly runtime: 'local' | 'docker';
  /** For the Docker runtime; `{major}` in the name of an image stands for the major. */
  readonly docker: { readonly socketPath: string; readonly instanceImage: string; readonly verifyImage: string };
  /** Undefined: an embedded shared cluster. */
  readonly sharedPostgresUrl: string | undefined;
  readonly backupsFolder: string;
  readonly defaultMode: EngineKind;
  /** Folders to search for Postgres programs before the usual ones. */
  readonly postgresFolders: readonly string[];
  /** PATH, searched last. */
  readonly path: string;
  /** Account that Postgres runs as when the control plane is root. */
  readonly postgresAccount: string | undefined;
  /** Major for new instances; undefined means the newest that is installed whole. */
  readonly postgresMajor: number | undefined;
  /** What keeps local instances apart. */
  readonly instanceWall: 'auto' | 'bubblewrap' | 'unshare' | 'off';
  readonly logLevel: string;
  /** What happens to instances when the control plane stops in an orderly way. */
  readonly onStop: 'stop' | 'keep';
  readonly verify: {
    readonly sandbox: 'auto' | 'bubblewrap' | 'unshare' | 'off';
    readonly memoryBytes: number;
    readonly diskBytes: number;
    readonly processes: number;
    /** Time for the smallest backup; larger ones have more, up to `timeoutMs`. */
    readonly minTimeMs: number;
    readonly timeoutMs: number;
    /** Whether a disposable instance is kept ready. */
    readonly standby: 'on' | 'off';
  };
  /** A backup whose newest proof is older than this is said to be old in confirmations. */
  readonly backupTimeoutMs: number;
  readonly dumpMemoryBytes: number;
  /** Time for the restore of the smallest backup, and for one of any size. */
  readonly restoreTimes: { readonly minMs: number; readonly maxMs: number };
  /** A push that runs for longer is ended. */
  readonly pushTimeoutMs: number;
  /** For how long a database that Flux does not run may take to answer what is asked of it before a backup or a restore. */
  readonly foreignTimeoutMs: number;
  /** Which addresses such databases may have. */
  readonly foreignAddresses: readonly string[];
  /** For how long what a restore in place has replaced is kept for an undo. */
  readonly undoKeepMs: number;
  /** For how long an instance that was removed by the catalog's word alone lies in the trash. */
  readonly trashKeepMs: number;
  /** Whether answers are compared with their schemas; for tests. */
  readonly answerChecks: 'on' | 'off';
  /** Extensions that an admin may enable although only a superuser may create them, and those that the pool may have. */
  readonly allowedExtensions: readonly string[];
  /** Whether an admin may restore with the rights of a superuser, and so of the account that Postgres runs as. */
  readonly restoreAsSuperuser: 'on' | 'off';
  /** What a session of a pooled project may do: durations in ms, and the size of its temporary files. */
  readonly pool: {
    readonly statementMs: number;
    readonly idleTransactionMs: number;
    readonly transactionMs: number;
    readonly tempFileBytes: number;
  };
  /** What a project may use, unless an admin has given it other limits. */
  readonly quotas: { readonly diskBytes: number; readonly backups: number; readonly operationsPerDay: number };
  /** Slots of each lane of operations for each pace. */
  readonly concurrency: number;
}

const size = z
  .string()
  .regex(/^\d+(?:\.\d+)?\s*(?:B|KiB|MiB|GiB|TiB)?$/i, 'is a size such as 512MiB or 4GiB')
  .transform(parseSize);
const duration = z
  .string()
  .regex(/^\d{1,9}(?:ms|s|m|h|d)$/, 'is a duration such as 30s, 15m, 2h or 7d')
  .transform(parseDuration);
const major = z
  .string()
  .regex(/^\d{2}$/, 'is a major version such as 15')
  .transform(Number);

const count = z
  .string()
  .regex(/^[1-9]\d{0,8}$/, 'is a whole number above 0')
  .transform(Number);

const SETTINGS = {
  FLUX_DATA_DIR: z.string().optional(),
  FLUX_LISTEN: z
    .string()
    .regex(/^(?:\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/, 'is host:port, such as 127.0.0.1:4400')
    .default('127.0.0.1:4400'),
  FLUX_HOSTS: z.string().default(''),
  FLUX_METRICS: z.enum(['token', 'loopback', 'open', 'off']).default('token'),
  FLUX_RATE_LIMIT: z
    .string()
    .regex(/^(?:off|[1-9]\d{0,6})$/, 'is a number of requests a minute, or off')
    .default('6000'),
  FLUX_MAX_CONNECTIONS: count.default(2000),
  FLUX_CONNECTIONS_PER_ADDRESS: count.default(1000),
  FLUX_DOWNLOAD_ACCESS: z.enum(ACCESS_LEVELS).default('read'),
  FLUX_CATALOG_URL: z
    .string()
    .regex(/^postgres(?:ql)?:\/\//, 'starts with postgresql://')
    .optional(),
  FLUX_RUNTIME: z.enum(['local', 'docker']).default('local'),
  FLUX_DOCKER_POSTGRES_IMAGE: z.string().default('postgres:{major}'),
  FLUX_BACKUP_VERIFY_POSTGRES_IMAGE: z.string().optional(),
  FLUX_SHARED_POSTGRES_URL: z
    .string()
    .regex(/^postgres(?:ql)?:\/\//, 'starts with postgresql://')
    .optional(),
  FLUX_BACKUPS_LOCAL_DIR: z.string().optional(),
  FLUX_DEFAULT_MODE: z.enum(['v1_dedicated', 'v2_shared']).default('v2_shared'),
  FLUX_POSTGRES_BIN_DIRS: z.string().default(''),
  FLUX_POSTGRES_ACCOUNT: z.string().optional(),
  FLUX_POSTGRES_MAJOR: major.optional(),
  FLUX_INSTANCE_WALL: z.enum(['auto', 'bubblewrap', 'unshare', 'off']).default('auto'),
  FLUX_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  FLUX_ON_STOP: z.enum(['stop', 'keep']).default('stop'),
  FLUX_VERIFY_SANDBOX: z.enum(['auto', 'bubblewrap', 'unshare', 'off']).default('auto'),
  FLUX_VERIFY_MEMORY: size.default(4 * 2 ** 30),
  FLUX_VERIFY_DISK: size.default(64 * 2 ** 30),
  FLUX_VERIFY_PROCESSES: z
    .string()
    .regex(/^\d{1,5}$/, 'is a whole number')
    .transform(Number)
    .default(64),
  FLUX_VERIFY_TIMEOUT_MIN: duration.default(5 * 60_000),
  FLUX_VERIFY_TIMEOUT: duration.default(2 * 3_600_000),
  FLUX_VERIFY_STANDBY: z.enum(['on', 'off']).default('on'),
  FLUX_DUMP_MEMORY: size.default(8 * 2 ** 30),
  FLUX_BACKUP_TIMEOUT: duration.default(12 * 3_600_000),
  FLUX_RESTORE_TIMEOUT_MIN: duration.default(15 * 60_000),
  FLUX_RESTORE_TIMEOUT: duration.default(24 * 3_600_000),
  FLUX_PUSH_TIMEOUT: duration.default(4 * 3_600_000),
  FLUX_FOREIGN_TIMEOUT: duration.default(2 * 60_000),
  FLUX_FOREIGN_ADDRESSES: z
    .string()
    .default('public,private,loopback')
    .refine((rules) => findInvalidRule(listOf(rules)) === undefined, {
      error: 'is a list of public, private, loopback, link-local, flux, unix, addresses, and networks such as 10.0.0.0/8',
    }),
  FLUX_UNDO_KEEP: duration.default(7 * 86_400_000),
  FLUX_TRASH_KEEP: duration.default(7 * 86_400_000),
  FLUX_CHECK_ANSWERS: z.enum(['on', 'off']).default('off'),
  FLUX_EXTENSIONS_ALLOWED: z.string().default(
    `address_standardizer,btree_gin,btree_gist,citext,cube,dict_int,earthdistance,fuzzystrmatch,hstore,intarray,isn,ltree,pg_trgm,
    pgcrypto,postgis,postgis_raster,postgis_tiger_geocoder,postgis_topology,seg,tablefunc,unaccent,uuid-ossp,vector`,
  ),
  FLUX_RESTORE_AS_SUPERUSER: z.enum(['on', 'off']).default('on'),
  FLUX_POOL_STATEMENT_TIMEOUT: duration.default(10 * 60_000),
  FLUX_POOL_IDLE_TRANSACTION_TIMEOUT: duration.default(5 * 60_000),
  FLUX_POOL_TRANSACTION_TIMEOUT: duration.default(30 * 60_000),
  FLUX_POOL_TEMP_FILES: size.default(2 * 2 ** 30),
  FLUX_QUOTA_DISK: size.default(2 ** 40),
  FLUX_QUOTA_BACKUPS: count.refine((value) => value >= 2, 'is at least 2').default(1000),
  FLUX_QUOTA_OPERATIONS: count.default(10_000),
  FLUX_CONCURRENCY: z
    .string()
    .regex(/^[1-9]\d?$/, 'is a whole number from 1 to 99')
    .transform(Number)
    .default(2),
} as const;

/** Names that the CLI reads; the server accepts and ignores them, since both may share one environment. */
const CLIENT_SETTINGS = ['FLUX_API_BASE', 'FLUX_API_TOKEN', 'FLUX_DASHBOARD_BASE', 'FLUX_ATTACH_URI', 'FLUX_DEBUG'];

/**
 * Turns the environment into a Config. `NAME_FILE` gives a setting by a file that holds it.
 *
 * @throws FluxError `config_invalid` with every problem at once, a line each
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>>, isRoot: boolean): Config {
  const problems: string[] = [];
  const values = takeValues(environment, problems);
  const parsed = z.object(SETTINGS).safeParse(values);
  if (!parsed.success) for (const issue of parsed.error.issues) problems.push(`${issue.path.join('.')} ${issue.message}`);
  if (problems.length > 0 || !parsed.success) {
    throw new FluxError('config_invalid', `The settings are wrong:\n${problems.map((line) => `  ${line}`).join('\n')}`, {
      hint: 'Correct the environment and start again; the settings are listed in docs/settings.md.',
      details: { problems },
    });
  }
  const s = parsed.data;
  const socketPath = dockerSocket(environment.DOCKER_HOST, s.FLUX_RUNTIME);
  // Postgres runs as another account then, and that account cannot walk through root's home.
  const dataFolder = resolve(s.FLUX_DATA_DIR ?? (isRoot ? '/var/lib/flux' : join(homedir(), '.local/share/flux')));
  const colon = s.FLUX_LISTEN.lastIndexOf(':');
  return Object.freeze({
    dataFolder,
    listen: { host: s.FLUX_LISTEN.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(s.FLUX_LISTEN.slice(colon + 1)) },
    http: {
      hosts: listOf(s.FLUX_HOSTS),
      metrics: s.FLUX_METRICS,
      ratePerMinute: s.FLUX_RATE_LIMIT === 'off' ? undefined : Number(s.FLUX_RATE_LIMIT),
      connections: { all: s.FLUX_MAX_CONNECTIONS, perAddress: s.FLUX_CONNECTIONS_PER_ADDRESS },
    },
    downloadAccess: s.FLUX_DOWNLOAD_ACCESS,
    catalogUrl: s.FLUX_CATALOG_URL,
    runtime: s.FLUX_RUNTIME,
    docker: {
      socketPath,
      instanceImage: s.FLUX_DOCKER_POSTGRES_IMAGE,
      verifyImage: s.FLUX_BACKUP_VERIFY_POSTGRES_IMAGE ?? s.FLUX_DOCKER_POSTGRES_IMAGE,
    },
    sharedPostgresUrl: s.FLUX_SHARED_POSTGRES_URL,
    backupsFolder: resolve(s.FLUX_BACKUPS_LOCAL_DIR ?? join(dataFolder, 'backups')),
    defaultMode: s.FLUX_DEFAULT_MODE,
    postgresFolders: s.FLUX_POSTGRES_BIN_DIRS.split(':').filter((folder) => folder !== ''),
    path: environment.PATH ?? '',
    postgresAccount: s.FLUX_POSTGRES_ACCOUNT,
    postgresMajor: s.FLUX_POSTGRES_MAJOR,
    instanceWall: s.FLUX_INSTANCE_WALL,
    logLevel: s.FLUX_LOG_LEVEL,
    onStop: s.FLUX_ON_STOP,
    verify: {
      sandbox: s.FLUX_VERIFY_SANDBOX,
      memoryBytes: s.FLUX_VERIFY_MEMORY,
      diskBytes: s.FLUX_VERIFY_DISK,
      processes: s.FLUX_VERIFY_PROCESSES,
      minTimeMs: s.FLUX_VERIFY_TIMEOUT_MIN,
      timeoutMs: s.FLUX_VERIFY_TIMEOUT,
      standby: s.FLUX_VERIFY_STANDBY,
    },
    dumpMemoryBytes: s.FLUX_DUMP_MEMORY,
    backupTimeoutMs: s.FLUX_BACKUP_TIMEOUT,
    restoreTimes: { minMs: s.FLUX_RESTORE_TIMEOUT_MIN, maxMs: s.FLUX_RESTORE_TIMEOUT },
    pushTimeoutMs: s.FLUX_PUSH_TIMEOUT,
    foreignTimeoutMs: s.FLUX_FOREIGN_TIMEOUT,
    foreignAddresses: listOf(s.FLUX_FOREIGN_ADDRESSES),
    undoKeepMs: s.FLUX_UNDO_KEEP,
    trashKeepMs: s.FLUX_TRASH_KEEP,
    answerChecks: s.FLUX_CHECK_ANSWERS,
    restoreAsSuperuser: s.FLUX_RESTORE_AS_SUPERUSER,
    allowedExtensions: listOf(s.FLUX_EXTENSIONS_ALLOWED),
    pool: {
      statementMs: s.FLUX_POOL_STATEMENT_TIMEOUT,
      idleTransactionMs: s.FLUX_POOL_IDLE_TRANSACTION_TIMEOUT,
      transactionMs: s.FLUX_POOL_TRANSACTION_TIMEOUT,
      tempFileBytes: s.FLUX_POOL_TEMP_FILES,
    },
    quotas: { diskBytes: s.FLUX_QUOTA_DISK, backups: s.FLUX_QUOTA_BACKUPS, operationsPerDay: s.FLUX_QUOTA_OPERATIONS },
    concurrency: s.FLUX_CONCURRENCY,
  });
}

function listOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** DOCKER_HOST is Docker's own setting. Folders are mounted and ports published on loopback, so the engine must be on this host. */
function dockerSocket(dockerHost: string | undefined, runtime: 'local' | 'docker'): string {
  if (dockerHost === undefined || dockerHost === '') return '/var/run/docker.sock';
  if (dockerHost.startsWith('unix://')) return dockerHost.slice('unix://'.length);
  if (runtime === 'local') return '';
  throw new FluxError('config_invalid', `DOCKER_HOST is ${JSON.stringify(dockerHost)}, and Flux needs a Docker on this host.`, {
    hint: 'Set DOCKER_HOST=unix:///path/to/docker.sock, or leave it out.',
  });
}

function takeValues(environment: Readonly<Record<string, string | undefined>>, problems: string[]): Record<string, string> {
  const known = Object.keys(SETTINGS);
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith('FLUX_') || value === undefined || value === '' || CLIENT_SETTINGS.includes(name)) continue;
    if (known.includes(name)) {
      values[name] = value;
      continue;
    }
    const plain = name.endsWith('_FILE') ? name.slice(0, -5) : undefined;
    if (plain !== undefined && known.includes(plain)) {
      if (!existsSync(value)) problems.push(`${name} names a file that is not there: ${value}`);
      else values[plain] = readFileSync(value, 'utf8').trim();
      continue;
    }
    problems.push(`${name} is not a setting; the nearest one is ${nearestWord(name, known)}`);
  }
  return values;
}

function parseSize(text: string): number {
  const [, number = '0', unit = 'B'] = /^([\d.]+)\s*([A-Za-z]*)$/.exec(text) ?? [];
  const power = ['b', 'kib', 'mib', 'gib', 'tib'].indexOf((unit || 'B').toLowerCase());
  return Math.floor(Number(number) * 1024 ** Math.max(power, 0));
}

function parseDuration(text: string): number {
  const [, number = '0', unit = 'ms'] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? [];
  return Number(number) * ({ ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit] ?? 1);
}
