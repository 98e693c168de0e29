/**
 * Scripts that start programs of Postgres in a container. An image may be the official one or any other with Debian's layout. Its own
 * entry point is not used, since that first runs a temporary server, which answers but is not the real one.
 */

/** Sets `bin` to the folder with the programs of major version `$1`, and shifts `$1`. */
const FIND_PROGRAMS = [
  'for bin in "/usr/lib/postgresql/$1/bin" /usr/local/bin /usr/bin; do [ -x "$bin/pg_restore" ] && break; done',
  'shift',
].join('\n');

/** Runs the program `$1` with the rest of the arguments. */
export const RUN_PROGRAM = [FIND_PROGRAMS, 'program=$1', 'shift', 'exec "$bin/$program" "$@"'].join('\n');

/** The same, with the password as the first line of stdin: a container's arguments and environment are visible to everyone who may inspect it. */
export const RUN_PROGRAM_WITH_PASSWORD = ['IFS= read -r PGPASSWORD && export PGPASSWORD', RUN_PROGRAM].join('\n');

/** The data folder of an instance; its parent is the home of the account postgres in every image. */
export const DATA_VOLUME = '/var/lib/postgresql';
const DATA = `${DATA_VOLUME}/flux`;

/** Creates the data; stdin is the superuser's password. Arguments: major version, options for initdb. */
export const MAKE_DATA = [
  'set -e',
  'umask 077',
  'cat > /tmp/password',
  FIND_PROGRAMS,
  `exec "$bin/initdb" -D ${DATA} --auth=scram-sha-256 --pwfile=/tmp/password --data-checksums "$@"`,
].join('\n');

/** Runs the server. Connections from the host come from the address of the bridge, so the rules cannot name an address. */
export const RUN_SERVER = [
  'umask 077',
  String.raw`printf 'local all all scram-sha-256\nhost all all all scram-sha-256\n' > /tmp/pg_hba.conf`,
  FIND_PROGRAMS,
  `exec "$bin/postgres" -D ${DATA} -c hba_file=/tmp/pg_hba.conf "$@"`,
].join('\n');

/** The data folder of a disposable instance. */
export const DISPOSABLE_DATA = '/flux/data';

/** Creates data without a password, for one restore, and runs the server on it. Arguments: major version, options for postgres. */
export const RUN_DISPOSABLE = [
  'set -e',
  'umask 077',
  FIND_PROGRAMS,
  `"$bin/initdb" -D ${DISPOSABLE_DATA}/pg --username=flux_admin --auth=trust --no-sync --wal-segsize=1 --encoding=UTF8 --locale=C.UTF-8 > /dev/null`,
  `exec "$bin/postgres" -D ${DISPOSABLE_DATA}/pg "$@"`,
].join('\n');

/** A health check, shown in Docker's list of containers. Argument: the folder of the socket. */
export function healthCheck(major: number, socketFolder: string): string {
  return `set -- ${major}\n${FIND_PROGRAMS}\n"$bin/pg_isready" -q -h ${socketFolder} -p 5432`;
}
