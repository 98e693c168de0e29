/** Name of the superuser of every server that Flux makes. */
export const SUPERUSER = 'flux_admin';

/** The database of a disposable instance that restores go into; empty, and made from template0. */
export const RESTORE_DATABASE = 'flux_restore';
