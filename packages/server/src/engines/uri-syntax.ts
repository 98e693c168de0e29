import { FluxError } from '@flux/contract/errors';

/** What a URI or a list of keywords says, by the names of libpq; `host` and `port` may be lists with commas. */
export type Parameters = Map<string, string>;

/** `[user[:password]@][host[:port],...]`, `/database` and `?name=value&...`; a password may contain what a browser would not allow. */
const URI = /^postgres(?:ql)?:\/\/(?:([^/?]*)@)?([^/?@]*)(?:\/([^?]*))?(?:\?(.*))?$/s;

/**
 * Splits a URI of libpq. Other than URIs of the web, it may name several hosts.
 *
 * @throws FluxError `invalid_request`
 */
export function parseUri(uri: string): Parameters {
  const parts = URI.exec(uri);
  if (parts === null) throw unusable(FORM);
  if (parts[1] === undefined && parts[4]?.includes('@') && !/[?&](user|host)=/.test(uri)) throw unusable(FORM);
  const [, login = '', hosts = '', database = '', query = ''] = parts;
  const parameters: Parameters = new Map();
  const colon = login.indexOf(':');
  const put = (name: string, text: string) => {
    if (text !== '') parameters.set(name, decodePart(text));
  };
  put('user', colon < 0 ? login : login.slice(0, colon));
  if (colon >= 0) put('password', login.slice(colon + 1));
  put('dbname', database);
  if (hosts !== '') {
    const list = hosts.split(',').map(splitHost);
    put('host', list.map(({ host }) => host).join(','));
    if (list.some(({ port }) => port !== '')) put('port', list.map(({ port }) => port).join(','));
  }
  for (const part of query.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    // It may be the rest of a password with a question mark in it, so it is not repeated.
    if (equals < 0 || part.slice(0, equals).includes('@')) throw unusable(FORM);
    // Other than on the web, a plus is a plus.
    const name = decodePart(part.slice(0, equals));
    const value = decodePart(part.slice(equals + 1));
    if (value !== '') parameters.set(name, value);
  }
  return parameters;
}

function splitHost(text: string): { readonly host: string; readonly port: string } {
  const [, host = '', port = ''] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(text) ?? [];
  if (port !== '' && !/^\d+$/.test(port)) throw unusable(FORM);
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port };
}

const FORM = 'it is not of the form postgresql://user:password@host:port/database';

/**
 * Splits a list of `keyword = value`, where a value with blanks is quoted and a backslash escapes.
 * Source: the manual, "Connection Strings".
 *
 * @throws FluxError `invalid_request`
 */
export function parseKeyValues(text: string): Parameters {
  const parameters: Parameters = new Map();
  const pair = /\s*([A-Za-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?=\s|$)/sy;
  const whole = text.trim();
  let at = 0;
  while (at < whole.length) {
    pair.lastIndex = at;
    const found = pair.exec(whole);
    if (found === null) throw unusable(FORM);
    const value = (found[2] ?? found[3] ?? '').replaceAll(/\\(.)/gs, '$1');
    if (value !== '') parameters.set(found[1] as string, value);
    at = pair.lastIndex;
  }
  if (parameters.size === 0) throw unusable(FORM);
  return parameters;
}

/** @throws FluxError `invalid_request` */
export function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw unusable('it contains a % that is not followed by two hex digits');
  }
}

/** The error for a URI, which is never repeated in it. */
export function unusable(problem: string): FluxError {
  return new FluxError('invalid_request', `The URI of the database cannot be used: ${problem}.`, {
    hint: 'Give it as postgresql://user:password@host:port/database, with special characters percent-encoded.',
  });
}
