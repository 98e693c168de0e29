import { FluxError } from '@flux/contract/errors';

/**
 * Calls back before a password, or a proof of one, is sent to a server that does not bind the login to the TLS session: it might be
 * another one than that of the URI.
 *
 * @param wire the connection of a `pg` client
 */
export function requireChannelBinding(wire: NodeJS.EventEmitter, refuse: (error: FluxError) => void): void {
  let isBound = false;
  const check = () => {
    if (!isBound)
      refuse(
        new FluxError('instance_unavailable', 'The server does not offer channel binding, and the URI has channel_binding=require.', {
          hint: 'Is it the right server? Without TLS, or behind a proxy, there is no channel binding; channel_binding=prefer does without.',
        }),
      );
  };
  // The listeners of the driver come after these, and write into a socket that is closed by then.
  wire.prependListener('authenticationSASL', ({ mechanisms = [] }: { readonly mechanisms?: readonly string[] }) => {
    isBound = mechanisms.includes('SCRAM-SHA-256-PLUS');
    check();
  });
  for (const event of ['authenticationCleartextPassword', 'authenticationMD5Password', 'authenticationOk'])
    wire.prependListener(event, check);
}
