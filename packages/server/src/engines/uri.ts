import { isAbsolute } from 'node:path';
import { SESSION_ATTRIBUTES, type SessionAttributes } from '../postgres/choose-host.ts';
import type { PostgresTarget } from '../postgres/target.ts';
import { CHANNEL_BINDINGS, type ChannelBinding, SSL_MODES, type SslMode } from '../postgres/tls.ts';
import { decodePart, type Parameters, parseKeyValues, parseUri, unusable } from './uri-syntax.ts';

/** Parameters that change neither which server answers, nor who we are there, nor what we read. */
const IGNORED = new Set([
  'application_name',
  'fallback_application_name',
  'client_encoding',
  'load_balance_hosts',
  'sslsni',
  'sslcompression',
]);
const IGNORED_PREFIX = /^(keepalives(_idle|_interval|_count)?|tcp_user_timeout|tcp_keepalives.*)$/;

const NO_CLIENT_CERTIFICATE = 'Flux logs in with a password and has no client certificates; make a login with a password for it';
const NO_FILES = 'it would read a file of the account that runs the control plane; write what is in it into the URI';
/** Parameters that other programs understand, and what to do instead. */
const REFUSED: Readonly<Record<string, string>> = {
  sslcert: NO_CLIENT_CERTIFICATE,
  sslkey: NO_CLIENT_CERTIFICATE,
  sslpassword: NO_CLIENT_CERTIFICATE,
  service: NO_FILES,
  servicefile: NO_FILES,
  passfile: NO_FILES,
  pgbouncer: 'it says that the address is that of a pooler, through which no backup can be made; use the address of the server itself',
  schema: 'it is of an object-relational mapper, not of Postgres; leave it out, and choose schemas with --schema',
  connection_limit: 'it is of an object-relational mapper, not of Postgres; leave it out',
  pool_timeout: 'it is of an object-relational mapper, not of Postgres; leave it out',
};

/**
 * Reads a connection URI as libpq and hosted services write it, `postgresql://user:password@host:port/database?sslmode=require`, or a list
 * of `keyword=value`.
 *
 * @throws FluxError `invalid_request` saying what is wrong with it, never the URI itself: it contains a password
 */
export function parsePostgresUri(uri: string): PostgresTarget {
  const parameters = /^\s*postgres(ql)?:\/\//.test(uri) ? parseUri(uri.trim()) : parseKeyValues(uri);
  const take = (name: string) => {
    const value = parameters.get(name);
    parameters.delete(name);
    return value === '' ? undefined : value;
  };
  const user = take('user');
  const hosts = hostsOf(take('host'), take('port'));
  if (user === undefined) throw unusable('it names no user');
  const database = take('dbname') ?? user;
  const password = take('password');
  const sslRootCert = take('sslrootcert');
  const sslMode = sslModeOf(take('sslmode') ?? jdbcMode(take('ssl')), sslRootCert);
  const extras = {
    ...(sslRootCert === undefined ? {} : { sslRootCert }),
    ...optional('channelBinding', channelBindingOf(take('channel_binding'), sslMode)),
    ...optional('options', take('options')),
    ...optional('connectTimeoutMs', timeoutOf(take('connect_timeout'))),
    ...optional('sessionAttributes', attributesOf(take('target_session_attrs'))),
    ...(hosts.length > 1 ? { otherHosts: hosts.slice(1) } : {}),
  };
  const gss = take('gssencmode');
  if (gss === 'require') throw unusable('gssencmode=require is not supported: sessions of Flux are encrypted with TLS only');
  refuseOthers(parameters);
  const [first] = hosts as [(typeof hosts)[number]];
  return { ...first, user, password, database, sslMode, ...extras };
}

function optional<Name extends string, Value>(name: Name, value: Value | undefined): Partial<Record<Name, Value>> {
  return (value === undefined ? {} : { [name]: value }) as Partial<Record<Name, Value>>;
}

function refuseOthers(parameters: Parameters): void {
  for (const name of parameters.keys()) {
    if (IGNORED.has(name) || IGNORED_PREFIX.test(name) || (name === 'pgbouncer' && parameters.get(name) === 'false')) continue;
    const why = Object.hasOwn(REFUSED, name) ? `: ${REFUSED[name]}` : '';
    throw unusable(`its parameter ${JSON.stringify(name)} is not supported${why}`);
  }
}

/** Each is looked up and connected to, one after the other. */
const MAX_HOSTS = 8;

/** As in libpq: several hosts are separated by commas, with a port each or one port for all. */
function hostsOf(host: string | undefined, port: string | undefined): readonly { readonly host: string; readonly port: number }[] {
  const hosts = (host ?? '').split(',');
  const ports = (port ?? '').split(',');
  if (hosts.some((name) => name === '')) throw unusable('it names no host');
  if (hosts.length > MAX_HOSTS)
    throw unusable(`it names ${hosts.length} hosts, and ${MAX_HOSTS} are the most that may be tried; leave out the others`);
  if (ports.length !== 1 && ports.length !== hosts.length) throw unusable('it has another number of ports than of hosts');
  return hosts.map((name, index) => ({ host: name, port: portOf(ports.length === 1 ? ports[0] : ports[index]) }));
}

function portOf(text = ''): number {
  const port = text === '' ? 5432 : Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw unusable('its port is not a number from 1 to 65535');
  return port;
}

/** As in libpq: `sslrootcert=system` implies `verify-full`, and weaker modes are refused. */
function sslModeOf(mode: string | undefined, rootCert: string | undefined): SslMode | undefined {
  const known = SSL_MODES.find((name) => name === mode);
  if (mode !== undefined && known === undefined) throw unusable(`there is no sslmode ${JSON.stringify(mode)}`);
  if (rootCert === 'system') {
    if (known !== undefined && known !== 'verify-full') throw unusable('sslrootcert=system needs sslmode=verify-full');
    return 'verify-full';
  }
  if (rootCert !== undefined && !isAbsolute(rootCert)) throw unusable('its sslrootcert is not an absolute path, nor `system`');
  if (rootCert === undefined && (known === 'verify-ca' || known === 'verify-full'))
    throw unusable(`sslmode=${known} needs sslrootcert, a path or \`system\``);
  return known;
}

/** `ssl=true` is what the driver for Java writes, and libpq reads in the same way. */
function jdbcMode(ssl: string | undefined): string | undefined {
  if (ssl === undefined || ssl === 'false') return undefined;
  if (ssl === 'true') return 'require';
  throw unusable('its ssl is neither true nor false; write sslmode=require');
}

/** What is required binds the login to the TLS session, so that there has to be one. */
function channelBindingOf(text: string | undefined, sslMode: SslMode | undefined): ChannelBinding | undefined {
  if (text === undefined) return undefined;
  const known = CHANNEL_BINDINGS.find((name) => name === text);
  if (known === undefined) throw unusable(`there is no channel_binding ${JSON.stringify(text)}`);
  if (known === 'require' && (sslMode === 'disable' || sslMode === 'allow'))
    throw unusable(`channel_binding=require needs TLS, and sslmode=${sslMode} does not`);
  return known;
}

function attributesOf(text: string | undefined): SessionAttributes | undefined {
  if (text === undefined || text === 'any') return undefined;
  const known = SESSION_ATTRIBUTES.find((name) => name === text);
  if (known === undefined) throw unusable(`there is no target_session_attrs ${JSON.stringify(text)}`);
  return known;
}

/** As in libpq: seconds; zero and below mean no limit of one's own. */
function timeoutOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = Number(decodePart(text));
  if (!Number.isInteger(seconds)) throw unusable('its connect_timeout is not a number of seconds');
  return seconds <= 0 ? undefined : Math.min(Math.max(seconds, 2), 300) * 1000;
}
