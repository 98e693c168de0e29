import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import { isUuid } from '@flux/contract/ids';
import {
  countDedicated,
  ensureInstallation,
  findInstallation,
  type Installation,
  listLiveHomes,
  sampleSealed,
  updateInstallation,
} from '../catalog/installation.ts';
import type { OpenedCatalog } from '../catalog/open.ts';
import type { Config } from '../config.ts';
import { writeFileAtomically } from '../system/atomic-file.ts';
import type { Log } from '../system/log.ts';
import { createSeal, type Seal } from '../system/seal.ts';
import { createStamp } from '../system/stamp.ts';

const HOME_FILE = 'installation-id';
/** Hidden, so that it is never taken for a backup. */
const VOLUME_FILE = '.flux-volume';

/** The id of a data folder; made with it. */
export async function readHome(dataFolder: string): Promise<string> {
  return (await readId(join(dataFolder, HOME_FILE))) ?? (await writeId(join(dataFolder, HOME_FILE)));
}

/** What deciding whether a server may work on a catalog uses. */
export interface CheckParts {
  readonly config: Pick<Config, 'dataFolder' | 'backupsFolder' | 'sharedPostgresUrl'>;
  readonly catalog: OpenedCatalog;
  /** The secret key. */
  readonly key: Uint8Array;
  readonly home: string;
}

/**
 * Refuses a catalog whose secrets this key does not open, and one whose backups lie in another folder. Changes nothing, and is called before
 * anything is. A catalog that says nothing of itself (it is new, or was put back from a time before) must open as far as it has secrets.
 *
 * @throws FluxError `config_invalid`
 */
export async function requireOwnKeyAndVolume({ config, catalog, key }: CheckParts): Promise<void> {
  const installation = await findInstallation(catalog.db);
  const isOurs = installation === undefined ? await opensSecrets(catalog, key) : installation.key_fingerprint === fingerprintOf(key);
  if (!isOurs)
    throw new FluxError('config_invalid', 'The catalog belongs to an installation with another secret key.', {
      hint: `Put the file secret.key of that installation into ${config.dataFolder}, or set FLUX_CATALOG_URL to another database.`,
    });
  const found = await readVolume(config.backupsFolder);
  if (installation === undefined || installation.volume === null || !isUuid(found) || found === installation.volume) return;
  throw new FluxError('config_invalid', `${config.backupsFolder} is the backup folder of another installation.`, {
    hint: 'Set FLUX_BACKUPS_LOCAL_DIR to the folder with the backups of this catalog.',
  });
}

/**
 * Refuses to work on a catalog that belongs to another installation: its secrets could not be opened, its backups not be read, its servers
 * not be found, and its operations would fail here for no reason of theirs. Changes nothing.
 *
 * @throws FluxError `config_invalid`
 */
export async function requireOwnInstallation(parts: CheckParts): Promise<void> {
  await requireOwnKeyAndVolume(parts);
  const installation = await findInstallation(parts.catalog.db);
  if (installation === undefined || installation.home === parts.home) return;
  await requireShared(parts);
}

/** Records what the catalog belongs to, where it does not say so yet. @throws FluxError `config_invalid` as above: another server may be first */
export async function recordInstallation(parts: CheckParts, log: Log): Promise<void> {
  const { catalog, key, home } = parts;
  const installation = await ensureInstallation(catalog.db, { key_fingerprint: fingerprintOf(key), home, volume: null });
  await requireOwnInstallation(parts);
  await recordVolume(parts, installation, log);
  if (installation.home !== home)
    log.info({ home, first: installation.home }, 'this server shares the catalog with those of another data folder');
}

/**
 * Makes this data folder the successor of the one that the catalog belongs to, unless a server works on that.
 *
 * @returns what was done, in a sentence
 * @throws FluxError `config_invalid` when a server works on that folder, and the catalog cannot be shared with it
 */
export async function takeOver(parts: CheckParts, log: Log): Promise<string | undefined> {
  const { catalog, key, home } = parts;
  const installation = await ensureInstallation(catalog.db, { key_fingerprint: fingerprintOf(key), home, volume: null });
  await requireOwnKeyAndVolume(parts);
  await recordVolume(parts, installation, log);
  if (installation.home === home) return undefined;
  if ((await listLiveHomes(catalog)).size > 0) {
    await requireShared(parts);
    return 'The catalog belongs to another data folder, and a server works on that now: it stays there.';
  }
  await updateInstallation(catalog.db, { home });
  return 'The catalog belongs to this data folder from now on.';
}

/** What `takeOver` would do, in a sentence. */
export async function describeTakeOver({ catalog, home }: CheckParts): Promise<string | undefined> {
  const installation = await findInstallation(catalog.db);
  if (installation === undefined || installation.home === home) return undefined;
  return (await listLiveHomes(catalog)).size > 0
    ? 'The catalog belongs to another data folder, and a server works on that now: it stays there.'
    : 'The catalog belongs to another data folder; `flux-server reconcile --apply` makes this one its successor.';
}

/** @throws FluxError `config_invalid` where the server of another data folder cannot work on the catalog */
async function requireShared(parts: CheckParts): Promise<void> {
  const why = await whyNotShared(parts);
  if (why === undefined) return;
  const others = await listLiveHomes(parts.catalog);
  throw new FluxError('config_invalid', `The catalog belongs to another data folder than ${parts.config.dataFolder}, and ${why}.`, {
    hint:
      others.size > 0
        ? 'A server works on that folder now. Use its folder, or set FLUX_CATALOG_URL to another database.'
        : 'Set FLUX_DATA_DIR to that folder. If it is lost, `flux-server reconcile --apply` makes this one its successor.',
  });
}

/** Why servers with data folders of their own cannot share the catalog; undefined when they can. */
async function whyNotShared({ config, catalog }: CheckParts): Promise<string | undefined> {
  if (config.sharedPostgresUrl === undefined) return 'the pooled cluster lies in that folder';
  const dedicated = await countDedicated(catalog.db);
  return dedicated === 0 ? undefined : `${dedicated} projects have their servers in that folder`;
}

async function recordVolume({ config, catalog }: CheckParts, { volume }: Installation, log: Log): Promise<void> {
  const { backupsFolder } = config;
  const found = await readVolume(backupsFolder);
  if (volume === null) {
    await mkdir(backupsFolder, { recursive: true, mode: 0o700 });
    const id = isUuid(found) ? found : await writeId(join(backupsFolder, VOLUME_FILE));
    return await updateInstallation(catalog.db, { volume: id });
  }
  if (found === volume) return;
  // An empty folder may be one whose volume is not mounted: what the catalog knows of it stays true.
  if (found === 'empty') return log.warn({ backupsFolder }, 'the backup folder is empty: is its volume mounted?');
  await writeId(join(backupsFolder, VOLUME_FILE), volume);
}

function fingerprintOf(key: Uint8Array): string {
  return createStamp(key, 'fingerprint').of('secret key').slice(0, 16);
}

/** Whether the key opens any of the newest secrets; true where there are none. */
async function opensSecrets({ db }: OpenedCatalog, key: Uint8Array): Promise<boolean> {
  const seal = createSeal(key);
  const sealed = await sampleSealed(db);
  return sealed.length === 0 || sealed.some((secret) => opens(seal, secret));
}

function opens(seal: Seal, sealed: Uint8Array): boolean {
  try {
    seal.unseal(sealed);
    return true;
  } catch {
    return false;
  }
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
