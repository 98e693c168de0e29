import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { FluxError } from '@flux/contract/errors';

/**
 * Refuses requests that were sent to a name which is not one of this control plane. The page of another site can have its own name resolve
 * to our address (DNS rebinding), and its scripts would then reach us as their own server; the name that they use is in `Host`. An address
 * cannot be rebound, so every address is accepted, and so are `localhost` and the name of this host.
 *
 * @param names further names, without a port; `*` for any
 * @throws FluxError `misdirected`
 */
export function createHostCheck(names: readonly string[]): (host: string | undefined) => void {
  const accepted = new Set(['localhost', hostname().toLowerCase(), ...names.map((name) => name.toLowerCase())]);
  return (host) => {
    // Only HTTP/1.0 may leave it out, and no browser does.
    if (host === undefined || accepted.has('*')) return;
    const name = nameOf(host);
    if (name !== undefined && (isIP(name) !== 0 || accepted.has(name) || name.endsWith('.localhost'))) return;
    throw new FluxError('misdirected', `This control plane does not answer to the name ${JSON.stringify(host.slice(0, 100))}.`, {
      hint: 'If people reach it by that name, add the name to FLUX_HOSTS of the control plane and start it again.',
    });
  };
}

/** The name or address in a `Host` header, without port, brackets and the dot of a full name; undefined when it is malformed. */
function nameOf(host: string): string | undefined {
  const found = /^(?:\[([0-9a-f:.%]+)\]|([^:/@\s[\]]+))(?::\d{0,5})?$/i.exec(host);
  return (found?.[1] ?? found?.[2])?.toLowerCase().replace(/\.$/, '');
}
