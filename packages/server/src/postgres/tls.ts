import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { FluxError } from '@flux/contract/errors';
import type { PostgresTarget } from './target.ts';

/** `sslmode` of libpq; what each means is in the manual, "SSL Support", table of SSL modes. */
export const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof SSL_MODES)[number];

/** `channel_binding` of libpq: whether a login proves that both ends are of one TLS session. */
export const CHANNEL_BINDINGS = ['disable', 'prefer', 'require'] as const;
export type ChannelBinding = (typeof CHANNEL_BINDINGS)[number];

export type Encryption = 'tls' | 'plain';

/** Where operating systems keep the certificates that they trust: Debian, Red Hat, SUSE, Alpine and macOS, Homebrew. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
  '/opt/homebrew/etc/ca-certificates/cert.pem',
];

/**
 * In which order encryption is tried, as libpq does it, so that our sessions and pg_dump speak the same mode: `prefer`, the
 * default, tries TLS and continues without it, `allow` the other way round; a Unix socket never uses TLS.
 */
export function encryptionOrder({
  host,
  sslMode,
  channelBinding,
}: Pick<PostgresTarget, 'host' | 'sslMode' | 'channelBinding'>): readonly [Encryption, ...Encryption[]] {
  if (host.startsWith('/')) return ['plain'];
  // There is nothing to bind to without TLS.
  if (channelBinding === 'require') return ['tls'];
  switch (sslMode) {
    case 'disable':
      return ['plain'];
    case 'allow':
      return ['plain', 'tls'];
    case undefined:
    case 'prefer':
      return ['tls', 'plain'];
    default:
      return ['tls'];
  }
}

/**
 * What a TLS session verifies. As in libpq, the server's certificate is verified in every mode when there is a root certificate; only
 * `verify-full` also compares the name of the server.
 *
 * @throws FluxError `config_invalid` when the file of the root certificate cannot be read
 */
export async function tlsOptions(target: Pick<PostgresTarget, 'host' | 'address' | 'sslMode' | 'sslRootCert'>): Promise<ConnectionOptions> {
  const options = await verificationOf(target);
  // The certificate is that of the name, whatever address was found for it.
  return target.address === undefined || isIP(target.host) !== 0 ? options : { ...options, servername: target.host };
}

async function verificationOf(target: Pick<PostgresTarget, 'sslMode' | 'sslRootCert'>): Promise<ConnectionOptions> {
  const path = rootCertificatePath(target);
  if (path === undefined) {
    if (target.sslMode === 'verify-ca' || target.sslMode === 'verify-full')
      throw unusable(`sslmode ${target.sslMode} has no sslrootcert to check against`, undefined);
    return { rejectUnauthorized: false };
  }
  const ca = await readFile(path).catch((cause) => {
    throw unusable(`${path} cannot be read`, cause);
  });
  if (target.sslMode === 'verify-full') return { ca, rejectUnauthorized: true };
  return { ca, rejectUnauthorized: true, checkServerIdentity: () => undefined };
}

/** TLS settings of a target as libpq environment variables. Every one is set: libpq would otherwise read files of our account. */
export function tlsEnvironment(target: Pick<PostgresTarget, 'sslMode' | 'sslRootCert'>): Record<string, string> {
  return {
    PGSSLMODE: target.sslMode ?? 'prefer',
    // A path that cannot exist means no certificate.
    PGSSLROOTCERT: rootCertificatePath(target) ?? '/dev/null/none',
    PGSSLCERT: '/dev/null/none',
    // Our sessions have no GSS encryption.
    PGGSSENCMODE: 'disable',
  };
}

/**
 * The file of the root certificate. `system` is resolved here, since libpq supports it only from 16 on.
 *
 * @throws FluxError `config_invalid` when this system has no bundle of certificates
 */
function rootCertificatePath({ sslRootCert }: Pick<PostgresTarget, 'sslRootCert'>): string | undefined {
  if (sslRootCert !== 'system') return sslRootCert;
  const found = SYSTEM_BUNDLES.find((path) => existsSync(path));
  if (found === undefined) throw unusable('this system has no bundle of trusted certificates', undefined);
  return found;
}

function unusable(problem: string, cause: unknown): FluxError {
  return new FluxError('config_invalid', `The certificate of the database server cannot be checked: ${problem}.`, {
    hint: 'Give the URI sslrootcert=/path/to/ca.pem, a file that the control plane can read, or sslrootcert=system.',
    cause,
  });
}
