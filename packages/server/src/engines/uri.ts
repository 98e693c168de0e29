import { FluxError } from '@flux/contract/errors';
import type { PostgresTarget } from '../postgres/target.ts';

const SSL_MODES: Readonly<Record<string, PostgresTarget['sslMode']>> = {
  disable: 'disable',
  // `allow` tries without TLS first, as `prefer` does here.
  allow: 'prefer',
  prefer: 'prefer',
  require: 'require',
  'verify-ca': 'verify-ca',
  'verify-full': 'verify-full',
};
/** Parameters that say nothing about where the database is or who we are. */
const WITHOUT_MEANING = new Set(['application_name', 'connect_timeout', 'channel_binding', 'gssencmode', 'keepalives']);

/**
 * Reads a connection URI as libpq writes it: `postgresql://user:password@host:port/database?sslmode=require`.
 *
 * @throws FluxError `invalid_request` saying what is wrong with it, never the URI itself: it holds a password
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
  if (host === '') throw unusable('it names no host');
  if (host.includes(',')) throw unusable('it names several hosts, and a backup must know which one it reads');
  if (user === '') throw unusable('it names no user');
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw unusable('its port is not a number from 1 to 65535');
  if (mode !== undefined && !Object.hasOwn(SSL_MODES, mode)) throw unusable(`there is no sslmode ${JSON.stringify(mode)}`);
  const unknown = [...query.keys()].find((name) => !WITHOUT_MEANING.has(name));
  if (unknown !== undefined) throw unusable(`its parameter ${JSON.stringify(unknown)} is not supported`);
  return { host, port, user, password, database, sslMode: mode === undefined ? undefined : SSL_MODES[mode] };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw unusable('it holds a % that is not followed by two hex digits');
  }
}

function unusable(problem: string): FluxError {
  return new FluxError('invalid_request', `The URI of the database cannot be used: ${problem}.`, {
    hint: 'Give it as postgresql://user:password@host:port/database, with special characters percent-encoded.',
  });
}
