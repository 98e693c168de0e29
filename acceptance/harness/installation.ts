import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const DEBIAN = '/usr/lib/postgresql';

/**
 * Makes a Postgres installation for one test run: links to the programs of the host, and an `initdb` of its own, which copies what the
 * host's has made for the same arguments before. Every argument list is really run once, by the first who asks. A data folder
 * costs a tenth of the processor time then, and tests make hundreds; neither Flux nor its settings know of it, since a folder of
 * programs is what an operator may name.
 *
 * Servers on such a data folder run with `fsync = off`: no test takes the power from the machine itself. A process that is killed
 * loses nothing by that, so everything else that makes Postgres durable stays on.
 *
 * @param folder where it goes; empty
 * @returns the folders with programs, the newest major first; none where the host has no Debian-like places for them
 */
export function makeInstallation(folder: string): readonly string[] {
  if (process.platform !== 'linux') return [];
  const kept = join(folder, 'data');
  mkdirSync(kept);
  // Postgres, and with it initdb, runs as another account when we are root.
  chmodSync(kept, 0o1777);
  const majors = existsSync(DEBIAN) ? readdirSync(DEBIAN).filter((name) => existsSync(join(DEBIAN, name, 'bin/initdb'))) : [];
  return majors
    .sort((a, b) => Number(b) - Number(a))
    .map((major) => {
      const real = join(DEBIAN, major, 'bin');
      const bin = join(folder, major, 'bin');
      mkdirSync(bin, { recursive: true });
      for (const name of readdirSync(real)) if (name !== 'initdb') symlinkSync(join(real, name), join(bin, name));
      writeFileSync(join(bin, 'initdb'), initdbScript(real, kept), { mode: 0o755 });
      return bin;
    });
}

/** Passes everything unusual on to the real one: a folder that is not empty, no folder at all, a question for its version. */
function initdbScript(real: string, kept: string): string {
  return `#!/bin/sh
set -eu
data= passwordFile= arguments= previous=
for argument; do
  case "$previous $argument" in
    '-D '*) data=$argument ;;
    *' -D') ;;
    *' --pwfile='*) passwordFile=\${argument#--pwfile=} arguments="$arguments --pwfile" ;;
    *) arguments="$arguments $argument" ;;
  esac
  previous=$argument
done
if [ -z "$data" ] || [ -n "$(ls -A "$data" 2>/dev/null)" ]; then exec '${real}/initdb' "$@"; fi

model='${kept}'/$(echo '${real}' "$(id -u)" "$arguments" | cksum | tr ' ' -)
if [ ! -d "$model" ]; then
  making='${kept}'/.$$
  trap 'rm -rf "$making"' EXIT
  '${real}/initdb' "$@" -D "$making"
  echo 'fsync = off' >> "$making/postgresql.auto.conf"
  # Another process may have been faster; its model is equally good.
  mv -T "$making" "$model" 2>/dev/null || true
fi
mkdir -p "$data"
cp -R --preserve=mode --sparse=always "$model/." "$data"
if [ -n "$passwordFile" ]; then
  password=$(head -n 1 "$passwordFile" | sed "s/'/''/g")
  # Its words are of no use, and its exit status is 0 even when the statement failed.
  said=$(echo "alter role current_user password '$password'" |
    '${real}/postgres' --single -j -F -D "$data" -c log_min_messages=warning -c password_encryption=scram-sha-256 template1 2>&1)
  case $said in *ERROR* | *FATAL*) echo "$said" >&2; exit 1 ;; esac
fi
`;
}
