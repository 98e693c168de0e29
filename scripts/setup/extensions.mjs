// Installs what the full tier looks at besides Postgres itself: extensions with tables, libraries and dictionaries of their own. What
// cannot be had is left out, and the tests that need it say so.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { existsOnPath, installPackages } from './apt.mjs';

const DEBIAN = '/usr/lib/postgresql';
const OF_MAJOR = ['postgis-3', 'pgvector', 'partman', 'cron', 'pgaudit'];
const OF_HOST = ['hunspell-en-us'];

export function prepareExtensions() {
  if (process.getuid?.() !== 0 || !existsOnPath('apt-get') || !existsSync(DEBIAN)) return;
  const majors = readdirSync(DEBIAN).filter((name) => /^\d+$/.test(name));
  const wanted = [...majors.flatMap((major) => OF_MAJOR.map((name) => `postgresql-${major}-${name}`)), ...OF_HOST].filter(isMissing);
  if (wanted.length === 0 || installPackages(wanted)) return;
  process.stderr.write(`apt-get could not install them; the tests that need them are left out.\n`);
}

/** Not installed, and in the lists of apt. */
function isMissing(name) {
  const { stdout = '' } = spawnSync('apt-cache', ['policy', name], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
  return /Installed: \(none\)/.test(stdout) && /Candidate: \d/.test(stdout);
}
