import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import { isUuid } from '@flux/contract/ids';
import { countDedicated, ensureInstallation, type Installation, listLiveHomes, updateInstallation } from '../catalog/installation.ts';
import type { Catalog } from '../catalog/open.ts';
import type { Config } from '../config.ts';
import { writeFileAtomically } from '../system/atomic-file.ts';
import type { Log } from '../system/log.ts';
import { createStamp } from '../system/stamp.ts';

const HOME_FILE = 'installation-id';
/** Hidden, so that it is never taken for a backup. */
const VOLUME_FILE = '.flux-volume';

/** The id of a data folder; made with it. */
export async function readHome(dataFolder: string): Promise<string> {
  return (await readId(join(dataFolder, HOME_FILE))) ?? (await writeId(join(dataFolder, HOME_FILE)));
}

/** What deciding whether a server may work on a catalog uses. */
export interface InstallationParts {
  readonly config: Pick<Config, 'dataFolder' | 'backupsFolder' | 'sharedPostgresUrl'>;
  readonly catalog: Catalog;
  /** The secret key. */
  readonly key: Uint8Array;
  readonly home: string;
  readonly log: Log;
}

/**
 * Refuses to work on a catalog that belongs to another installation: its secrets could not be opened, its backups not be read, its servers
 * not be found, and its operations would fail here for no reason of theirs.
 *
 * @throws FluxError `config_invalid`
 */
export async function requireOwnInstallation(parts: InstallationParts): Promise<void> {
  const { config, catalog, key, home, log } = parts;
  const found = await readVolume(config.backupsFolder);
  const fingerprint = createStamp(key, 'fingerprint').of('secret key').slice(0, 16);
  const installation = await ensureInstallation(catalog.db, { key_fingerprint: fingerprint, home, volume: null });
  if (installation.key_fingerprint !== fingerprint)
    throw new FluxError('config_invalid', 'The catalog belongs to an installation with another secret key.', {
      hint: `Put the file secret.key of that installation into ${config.dataFolder}, or set FLUX_CATALOG_URL to another database.`,
    });
  await requireVolume(parts, installation, found);
  if (installation.home === home) return;
  const why = await whyNotShared(parts);
  if (why === undefined)
    return log.info({ home, first: installation.home }, 'this server shares the catalog with those of another data folder');
  const others = await listLiveHomes(catalog);
  throw new FluxError('config_invalid', `The catalog belongs to another data folder than ${config.dataFolder}, and ${why}.`, {
    hint:
      others.size > 0
        ? 'A server works on that folder now. Use its folder, or set FLUX_CATALOG_URL to another database.'
        : 'Set FLUX_DATA_DIR to that folder. If it is lost, `flux-server reconcile --apply` makes this one its successor.',
  });
}

/** Makes this data folder the successor of the one that the catalog belongs to. @returns what was done, in a sentence */
export async function takeOver({ catalog, home }: Pick<InstallationParts, 'catalog' | 'home'>): Promise<string | undefined> {
  const installation = await catalog.db.selectFrom('installation').selectAll().executeTakeFirst();
  if (installation === undefined || installation.home === home) return undefined;
  const others = await listLiveHomes(catalog);
  if (others.size > 0) return 'The catalog belongs to another data folder, and a server works on that now: it stays there.';
  await updateInstallation(catalog.db, { home });
  return 'The catalog belongs to this data folder from now on.';
}

/** Why servers with data folders of their own cannot share the catalog; undefined when they can. */
async function whyNotShared({ config, catalog }: InstallationParts): Promise<string | undefined> {
  if (config.sharedPostgresUrl === undefined) return 'the pooled cluster lies in that folder';
  const dedicated = await countDedicated(catalog.db);
  return dedicated === 0 ? undefined : `${dedicated} projects have their servers in that folder`;
}

async function requireVolume(
  { config, catalog, log }: InstallationParts,
  { volume }: Installation,
  found: string | 'empty' | 'unmarked',
): Promise<void> {
  const { backupsFolder } = config;
  if (volume === null) {
    await mkdir(backupsFolder, { recursive: true, mode: 0o700 });
    const id = isUuid(found) ? found : await writeId(join(backupsFolder, VOLUME_FILE));
    return await updateInstallation(catalog.db, { volume: id });
  }
  if (found === volume) return;
  if (isUuid(found))
    throw new FluxError('config_invalid', `${backupsFolder} is the backup folder of another installation.`, {
      hint: 'Set FLUX_BACKUPS_LOCAL_DIR to the folder with the backups of this catalog.',
    });
  // An empty folder may be one whose volume is not mounted: what the catalog knows of it stays true.
  if (found === 'empty') return log.warn({ backupsFolder }, 'the backup folder is empty: is its volume mounted?');
  await writeId(join(backupsFolder, VOLUME_FILE), volume);
}

async function readVolume(folder: string): Promise<string | 'empty' | 'unmarked'> {
  const id = await readId(join(folder, VOLUME_FILE));
  if (id !== undefined) return id;
  const names = await readdir(folder).catch(() => []);
  return names.some((name) => isUuid(name)) ? 'unmarked' : 'empty';
}

async function readId(path: string): Promise<string | undefined> {
  const text = (await readFile(path, 'utf8').catch(() => '')).trim();
  return isUuid(text) ? text : undefined;
}

async function writeId(path: string, id: string = randomUUID()): Promise<string> {
  await writeFileAtomically(path, `${id}\n`);
  return id;
}
