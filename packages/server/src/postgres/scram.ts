import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

const ITERATIONS = 4096;

/**
 * What Postgres stores instead of a password, computed here so that the password itself appears in no statement, no log of a
 * server and no container. Source: RFC 5803, and the manual, "pg_authid".
 *
 * @param salt 16 bytes, random by default
 */
export function scramVerifier(password: string, salt: Uint8Array = randomBytes(16)): string {
  const salted = pbkdf2Sync(preparePassword(password), salt, ITERATIONS, 32, 'sha256');
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest('base64');
  const serverKey = hmac(salted, 'Server Key').toString('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${Buffer.from(salt).toString('base64')}$${storedKey}:${serverKey}`;
}

/** RFC 3454, table C.1.2: become a plain space. */
const OTHER_SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/gu;
/** RFC 3454, table B.1: are removed. */
// biome-ignore lint/suspicious/noMisleadingCharacterClass: single code points, not the sequences that they join
const IGNORED = /[\u00ad\u034f\u1806\u180b-\u180d\u200c\u200d\u2060\ufe00-\ufe0f\ufeff]/gu;
/** RFC 3454, tables C.2 to C.9: controls, private use, non-characters, surrogates, and what changes the display of others. */
const PROHIBITED =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it looks for
  /[\u0000-\u001f\u007f-\u009f\u06dd\u070f\u180e\u200e\u200f\u2028-\u202e\u2061-\u2063\u206a-\u206f\u2ff0-\u2ffb\ufff9-\ufffd\u{1d173}-\u{1d17a}\u{e0001}\u{e0020}-\u{e007f}]|\u0340|\u0341|\p{Co}|\p{Cs}|\p{Noncharacter_Code_Point}/u;

/**
 * The text that Postgres and its clients derive keys from: SASLprep (RFC 4013), or the password as it is where SASLprep
 * prohibits it. Source: src/common/saslprep.c of Postgres.
 *
 * Postgres also leaves a password unchanged that contains a code point which Unicode 3.2 did not assign, or that mixes
 * directions of writing. Those two rules are absent here: they matter only when such a password contains a character that NFKC changes as well.
 */
function preparePassword(password: string): string {
  const prepared = password.replace(OTHER_SPACES, ' ').replace(IGNORED, '').normalize('NFKC');
  return prepared === '' || PROHIBITED.test(prepared) ? password : prepared;
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
