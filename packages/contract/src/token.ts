/** What a token may do; each level includes those before it. */
export const ACCESS_LEVELS = ['read', 'write', 'admin'] as const;
/** An access level of a token. */
export type AccessLevel = (typeof ACCESS_LEVELS)[number];

const TOKEN = /^flx_live_[0-9a-f]{32}_[0-9a-f]{4}$/;

/** Tells whether one access level covers another. */
export function covers(held: AccessLevel, asked: AccessLevel): boolean {
  return ACCESS_LEVELS.indexOf(held) >= ACCESS_LEVELS.indexOf(asked);
}

/** Tells whether a text has the outer shape of a token; the check digits need SHA-256 and are looked at by `hasValidCheck`. */
export function isTokenShaped(text: string): boolean {
  return TOKEN.test(text);
}

/** The part of a token that its last four digits are made from: `flx_live_<32 hex>`. */
export function tokenBody(token: string): string {
  return token.slice(0, token.lastIndexOf('_'));
}

/**
 * Catches a typing error without a look-up: the last four digits are the start of the SHA-256 of what stands before them.
 *
 * @param sha256Hex a function that gives the SHA-256 of a text in lowercase hex (this package knows neither Node nor DOM)
 */
export function hasValidCheck(token: string, sha256Hex: (text: string) => string): boolean {
  return isTokenShaped(token) && sha256Hex(tokenBody(token)).slice(0, 4) === token.slice(-4);
}
