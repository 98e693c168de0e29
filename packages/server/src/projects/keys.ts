import { createHmac } from 'node:crypto';

/** Ten years, in seconds: a key that is built into a web page cannot be replaced every month. */
const LIFETIME_S = 10 * 365 * 24 * 60 * 60;

/**
 * Signs the API key of a project for one of its roles: a JWT (RFC 7519) with HS256, issuer `flux`.
 *
 * @param jwtSecret the project's own HMAC secret
 * @param issuedAt now, unless a test sets the time; the key expires ten years later
 */
export function signProjectKey(jwtSecret: string, role: 'anon' | 'service_role', issuedAt: Date = new Date()): string {
  const iat = Math.floor(issuedAt.getTime() / 1000);
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ role, iss: 'flux', iat, exp: iat + LIFETIME_S })}`;
  return `${signed}.${createHmac('sha256', jwtSecret).update(signed).digest('base64url')}`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
