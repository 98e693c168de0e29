/** Name of the superuser of every server that Flux creates. */
export const SUPERUSER = 'flux_admin';
