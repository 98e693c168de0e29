/**
 * Decodes base64, standard or URL-safe, padded or not. Node ignores characters that are not base64; here they make the whole text
 * invalid, so that a changed character is always noticed.
 */
export function decodeBase64(text: string): Buffer | undefined {
  const bare = text
    .replace(/={0,2}$/, '')
    .replaceAll('-', '+')
    .replaceAll('_', '/');
  const bytes = Buffer.from(bare, 'base64');
  return bytes.length > 0 && bytes.toString('base64').replace(/=+$/, '') === bare ? bytes : undefined;
}
