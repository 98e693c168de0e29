import { existsSync, readFileSync } from 'node:fs';

/** The only major that a release of a distribution has in its own archive. Source: packages.debian.org, packages.ubuntu.com. */
const OWN_MAJOR: Readonly<Record<string, number>> = {
  'debian 11': 13,
  'debian 12': 15,
  'debian 13': 17,
  'ubuntu 20.04': 12,
  'ubuntu 22.04': 14,
  'ubuntu 24.04': 16,
  'ubuntu 25.04': 17,
  'ubuntu 25.10': 17,
};

/** What is known of the host's packages: the distribution with its release, and whether the archive with all majors is set up. */
export interface Packages {
  /** For example `debian 12`; undefined where there is no apt. */
  readonly release: string | undefined;
  readonly hasAllMajors: boolean;
}

/** How to install the programs of a major on this host, as a sentence without its full stop. */
export function adviseOnInstalling(major: number, packageName: string, packages: Packages = readPackages()): string {
  const install = `apt-get install ${packageName}`;
  if (packages.release === undefined)
    return `Install ${packageName}, the programs of PostgreSQL ${major}, with the package manager of this host`;
  if (packages.hasAllMajors || OWN_MAJOR[packages.release] === undefined || OWN_MAJOR[packages.release] === major)
    return `Install it with \`${install}\``;
  const add = 'apt-get install postgresql-common && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y';
  return `Install it with \`${add}\`, which adds the repository of PostgreSQL (${describe(packages.release)} itself has ${OWN_MAJOR[packages.release]} only), and then \`${install}\``;
}

function describe(release: string): string {
  return release.replace(/^./, (letter) => letter.toUpperCase());
}

function readPackages(): Packages {
  const sources = ['/etc/apt/sources.list.d/pgdg.list', '/etc/apt/sources.list.d/pgdg.sources'];
  return { release: existsSync('/usr/bin/apt-get') ? readRelease() : undefined, hasAllMajors: sources.some((path) => existsSync(path)) };
}

function readRelease(): string | undefined {
  let text: string;
  try {
    text = readFileSync('/etc/os-release', 'utf8');
  } catch {
    return 'unknown';
  }
  const fieldOf = (name: string) => new RegExp(`^${name}="?([^"\\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  return `${fieldOf('ID')} ${fieldOf('VERSION_ID')}`;
}
