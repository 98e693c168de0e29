/** What a token may do; each level includes the previous ones. */
export const ACCESS_LEVELS = ['read', 'write', 'admin'] as const;
/** An access level of a token. */
export type AccessLevel = (typeof ACCESS_LEVELS)[number];

const TOKEN = /^flx_live_[0-9a-f]{32}_[0-9a-f]{4}$/;

/** Whether one access level includes another. */
export function covers(held: AccessLevel, asked: AccessLevel): boolean {
  return ACCESS_LEVELS.indexOf(held) >= ACCESS_LEVELS.indexOf(asked);
}

/** Whether a text has the format of a token; `hasValidCheck` compares the check digits, which needs SHA-256. */
export function isTokenShaped(text: string): boolean {
  return TOKEN.test(text);
}

/** The part of a token that its check digits are computed from: `flx_live_<32 hex>`. */
export function tokenBody(token: string): string {
  return token.slice(0, token.lastIndexOf('_'));
}

/**
 * Catches a typing error without a look-up: the last four digits are the start of the SHA-256 of the rest.
 *
 * @param sha256Hex returns the SHA-256 of a text in lowercase hex (this package depends on neither Node nor the DOM)
 */
export function hasValidCheck(token: string, sha256Hex: (text: string) => string): boolean {
  return isTokenShaped(token) && sha256Hex(tokenBody(token)).slice(0, 4) === token.slice(-4);
}
