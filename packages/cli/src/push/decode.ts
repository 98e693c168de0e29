import { displaySafe } from '@flux/contract/display';
import { FluxError } from '@flux/contract/errors';

/** A text, and from which encoding it was converted; null when it was UTF-8. */
export interface DecodedText {
  readonly text: string;
  readonly convertedFrom: 'UTF-16' | null;
}

/**
 * Reads the bytes of a SQL file as text: UTF-8, with or without a byte order mark, and UTF-16, which Windows PowerShell and SQL
 * Server Management Studio write.
 *
 * @throws FluxError `local_file` for anything else, with the command that converts it
 */
export function decodeSqlFile(path: string, bytes: Buffer): DecodedText {
  const wide = wideEncodingOf(bytes);
  if (wide !== undefined) {
    const text = decodeAs(wide, bytes);
    if (text !== undefined && !text.includes('\0')) return { text, convertedFrom: 'UTF-16' };
  }
  if (bytes.subarray(0, 5).toString('latin1') === 'PGDMP')
    throw new FluxError('local_file', `${path} is not UTF-8 text: it is an archive of \`pg_dump -Fc\`.`, {
      hint: `Bring it into Flux with \`flux backup import ${displaySafe(path)}\`, or restore it yourself with \`pg_restore --no-owner --no-acl --dbname "$(flux project credentials --field postgres.url)" ${displaySafe(path)}\`.`,
    });
  // The byte order mark stays: the control plane compares the checksum with the text that it receives.
  const text = decodeAs('utf-8', bytes);
  if (text === undefined)
    throw new FluxError('local_file', `${path} is not UTF-8 text.`, {
      hint: `Convert it from its encoding, for example with \`iconv -f WINDOWS-1252 -t UTF-8 ${displaySafe(path)} > converted.sql\`.`,
    });
  if (text.includes('\0'))
    throw new FluxError('local_file', `${path} contains a zero byte, so it is not a text file.`, {
      hint: 'Save it as UTF-8 text.',
    });
  return { text, convertedFrom: null };
}

/** By its byte order mark; without one, by the zero bytes that every second byte of ASCII text is. */
function wideEncodingOf(bytes: Buffer): 'utf-16le' | 'utf-16be' | undefined {
  if (bytes.length < 2 || bytes.length % 2 !== 0) return undefined;
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  const head = bytes.subarray(0, 200);
  let [even, odd] = [0, 0];
  for (let at = 0; at < head.length; at += 2) {
    if (head[at] === 0) even += 1;
    if (head[at + 1] === 0) odd += 1;
  }
  if (even === 0 && odd > head.length / 4) return 'utf-16le';
  if (odd === 0 && even > head.length / 4) return 'utf-16be';
  return undefined;
}

function decodeAs(encoding: string, bytes: Buffer): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: encoding === 'utf-8' }).decode(bytes);
  } catch {
    return undefined;
  }
}
