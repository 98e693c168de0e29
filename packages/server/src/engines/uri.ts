import { isAbsolute } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import type { PostgresTarget } from '../postgres/target.ts';
import { SSL_MODES, type SslMode } from '../postgres/tls.ts';

/** Parameters that affect neither the address nor the identity. */
const IGNORED_PARAMETERS = new Set(['application_name', 'connect_timeout', 'channel_binding', 'gssencmode', 'keepalives']);

/**
 * Reads a connection URI as libpq writes it: `postgresql://user:password@host:port/database?sslmode=require`.
 *
 * @throws FluxError `invalid_request` saying what is wrong with it, never the URI itself: it contains a password
 */
export function parsePostgresUri(uri: string): PostgresTarget {
  const url = URL.parse(uri);
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol))
    throw unusable('it is not of the form postgresql://user:password@host:port/database');
  const query = new Map(url.searchParams);
  const take = (name: string) => {
    const value = query.get(name);
    query.delete(name);
    return value || undefined;
  };
  const host = take('host') ?? decode(url.hostname).replace(/^\[(.*)\]$/, '$1');
  const user = take('user') ?? decode(url.username);
  const port = Number(take('port') ?? (url.port || '5432'));
  const database = take('dbname') ?? (decode(url.pathname.slice(1)) || user);
  const password = take('password') ?? (url.password === '' ? undefined : decode(url.password));
  const mode = take('sslmode');
  const sslRootCert = take('sslrootcert');
  if (host === '') throw unusable('it names no host');
  if (host.includes(',')) throw unusable('it names several hosts, and a backup must know which one it reads');
  if (user === '') throw unusable('it names no user');
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw unusable('its port is not a number from 1 to 65535');
  const sslMode = sslModeOf(mode, sslRootCert);
  const unknown = [...query.keys()].find((name) => !IGNORED_PARAMETERS.has(name));
  if (unknown !== undefined) throw unusable(`its parameter ${JSON.stringify(unknown)} is not supported`);
  return { host, port, user, password, database, sslMode, ...(sslRootCert === undefined ? {} : { sslRootCert }) };
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

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw unusable('it contains a % that is not followed by two hex digits');
  }
}

function unusable(problem: string): FluxError {
  return new FluxError('invalid_request', `The URI of the database cannot be used: ${problem}.`, {
    hint: 'Give it as postgresql://user:password@host:port/database, with special characters percent-encoded.',
  });
}
