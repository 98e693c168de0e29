/**
 * Headers of every answer, for the browsers that get one. Answers may contain secrets, so that nothing is kept; none of them is a page of
 * its own, so that nothing in them may load, run or be framed. Strict-Transport-Security belongs to whoever speaks TLS: a proxy in front.
 */
export const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cache-control': 'no-store',
} as const;
