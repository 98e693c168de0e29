/** Extensions whose package of Debian does not have their name. Source: apt.postgresql.org and Debian, `apt-file search .control`. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  vector: 'pgvector',
  postgis: 'postgis-3',
  postgis_raster: 'postgis-3',
  postgis_sfcgal: 'postgis-3',
  postgis_topology: 'postgis-3',
  postgis_tiger_geocoder: 'postgis-3',
  address_standardizer: 'postgis-3',
  address_standardizer_data_us: 'postgis-3',
};
const LANGUAGES: Readonly<Record<string, string>> = {
  plpython3u: 'plpython3',
  plperl: 'plperl',
  plperlu: 'plperl',
  pltcl: 'pltcl',
  pltclu: 'pltcl',
  bool_plperl: 'plperl',
  hstore_plperl: 'plperl',
  jsonb_plperl: 'plperl',
  hstore_plpython3u: 'plpython3',
  jsonb_plpython3u: 'plpython3',
  ltree_plpython3u: 'plpython3',
};

/** The package of Debian that probably has an extension: its name follows a habit, which is not a rule. */
export function packageOf(extension: string, major: number): string {
  const language = LANGUAGES[extension];
  if (language !== undefined) return `postgresql-${language}-${major}`;
  return `postgresql-${major}-${OTHER_NAMES[extension] ?? extension.replace(/^pg_/, '').replaceAll('_', '-').toLowerCase()}`;
}
