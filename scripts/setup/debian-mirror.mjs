// Where this host takes Debian's packages from; tests take other releases from the same place.
import { existsSync, readdirSync, readFileSync } from 'node:fs';

const FOLDER = '/etc/apt/sources.list.d';

/**
 * The first mirror of Debian itself (not of security updates or of somebody else's packages) in the host's apt sources.
 *
 * @returns {{uri: string, signedBy: string | undefined} | undefined}
 */
export function debianMirror() {
  const files = ['/etc/apt/sources.list', ...(existsSync(FOLDER) ? readdirSync(FOLDER).map((name) => `${FOLDER}/${name}`) : [])];
  for (const file of files.filter(existsSync)) {
    const text = readFileSync(file, 'utf8').replace(/^\s*#.*\n?/gm, '');
    const found = file.endsWith('.sources') ? fromStanzas(text) : fromLines(text);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** sources.list(5), DEB822-style format. */
function fromStanzas(text) {
  for (const stanza of text.split(/\n\s*\n/)) {
    const field = (name) => new RegExp(`^${name}:[ \\t]*(\\S+)`, 'im').exec(stanza)?.[1];
    const uri = field('URIs');
    if (uri !== undefined && isDebian(uri)) return { uri, signedBy: field('Signed-By') };
  }
  return undefined;
}

/** sources.list(5), one-line format. */
function fromLines(text) {
  for (const line of text.split('\n')) {
    const [, options = '', uri] = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s/.exec(line) ?? [];
    if (uri !== undefined && isDebian(uri)) return { uri, signedBy: /signed-by=(\S+)/.exec(options)?.[1] };
  }
  return undefined;
}

function isDebian(uri) {
  return /\/debian\/?$/.test(uri);
}
