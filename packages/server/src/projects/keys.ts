import { createHmac, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';

/** Ten years, in seconds: a key that is built into a web page cannot be replaced every month. */
const LIFETIME_S = 10 * 365 * 24 * 60 * 60;

/**
 * Signs the API key of a project for one of its roles: a JWT (RFC 7519) with HS256, issuer `flux`.
 *
 * @param jwtSecret the project's own HMAC secret
 * @param issuedAt the time of the machine, which whoever refuses a key from the future may go by
 * @param latest the latest time that was seen; the key expires ten years later. By a clock that has started in 1970 it would have expired when
 * that is right again.
 */
export function signProjectKey(jwtSecret: string, role: 'anon' | 'service_role', issuedAt: Date, latest = issuedAt): string {
  const [iat, from] = [issuedAt, latest].map((time) => Math.floor(time.getTime() / 1000)) as [number, number];
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ role, iss: 'flux', iat, exp: from + LIFETIME_S })}`;
  return `${signed}.${createHmac('sha256', jwtSecret).update(signed).digest('base64url')}`;
}

const Header = z.object({ alg: z.literal('HS256'), crit: z.never().optional() });
const Claims = z.object({ role: z.unknown().optional(), exp: z.number().optional(), nbf: z.number().optional() });

/**
 * Checks a JWT against the secret of a project. Only HS256 is accepted, whatever the token itself says; a token without an
 * expiry lasts as long as the secret.
 *
 * @returns `not_ours` for everything that the secret has not signed; the rest only about tokens that it has
 */
export function checkProjectKey(jwtSecret: string, token: string, now: Date): 'good' | 'not_ours' | 'not_now' | 'other_role' {
  const [header = '', payload = '', signature = '', ...rest] = token.split('.');
  const expected = createHmac('sha256', jwtSecret).update(`${header}.${payload}`).digest();
  const given = Buffer.from(signature, 'base64url');
  const isSigned = given.length === expected.length && timingSafeEqual(given, expected);
  if (!isSigned || rest.length > 0 || !Header.safeParse(decode(header)).success) return 'not_ours';
  const claims = Claims.safeParse(decode(payload));
  if (!claims.success) return 'not_ours';
  const { role, exp = Number.POSITIVE_INFINITY, nbf = Number.NEGATIVE_INFINITY } = claims.data;
  const second = now.getTime() / 1000;
  if (second >= exp || second < nbf) return 'not_now';
  return role === 'service_role' ? 'good' : 'other_role';
}

function decode(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
  } catch {
    // Not JSON: no schema takes undefined.
    return undefined;
  }
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
