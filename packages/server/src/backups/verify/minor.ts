import type { Manifest } from '../../postgres/manifest.ts';

/**
 * Whether a server is of an older minor release than the source of a backup, within one major. It may refuse what the newer one has
 * written into the dump, such as an option of columns: that proves nothing about the backup.
 *
 * @param here, source for example `15.18` and `15.20`
 */
export function isOlderMinor(here: string, source: string): boolean {
  const [[major, minor = 0], [sourceMajor, sourceMinor = 0]] = [here, source].map((version) => version.split('.').map(Number)) as [
    [number, number?],
    [number, number?],
  ];
  return major === sourceMajor && minor < sourceMinor;
}

/** Says so, with what helps. */
export function adviseOnMinor(here: string, { version, major }: Pick<Manifest['server'], 'version' | 'major'>): string {
  return `PostgreSQL ${here} on this host is older than ${version} of the source, so this says nothing about the backup. Update it with \`apt-get update && apt-get install postgresql-${major}\`, create a new backup and verify that.`;
}
