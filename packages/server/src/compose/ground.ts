import { join } from 'node:path';
import type { Catalog, OpenOptions } from '../catalog/open.ts';
import type { Config } from '../config.ts';
import { createAttachedEngine } from '../engines/attached/engine.ts';
import { createDedicatedEngine } from '../engines/dedicated/engine.ts';
import { EngineDirectory } from '../engines/directory.ts';
import type { SharedCluster } from '../engines/shared/cluster.ts';
import { createSharedEngine } from '../engines/shared/engine.ts';
import { createStandings } from '../engines/standing.ts';
import type { Clock } from '../system/clock.ts';
import { type ExpiryClock, openExpiryClock } from '../system/expiry-clock.ts';
import { lockFolder } from '../system/folder-lock.ts';
import type { Log } from '../system/log.ts';
import type { Releasers } from '../system/releasers.ts';
import { createSeal, type Seal } from '../system/seal.ts';
import { createStamp } from '../system/stamp.ts';
import { composeCatalog } from './catalog.ts';
import { prepareDataFolder, readSecretKey } from './data-folder.ts';
import { composeForeignRules } from './foreign.ts';
import { type CheckParts, readHome } from './installation.ts';
import { composeRuntime, type Runtime } from './runtime.ts';
import { separate } from './separate-databases.ts';
import { composeSharedCluster } from './shared-cluster.ts';

/** What everything else stands on: the locked data folder, the servers that run, the catalog, and the engines. */
export interface Ground extends Omit<Runtime, 'removeRunFolder'> {
  readonly catalog: Catalog;
  readonly engines: EngineDirectory;
  readonly cluster: SharedCluster;
  readonly expiryClock: ExpiryClock;
  /** How databases that somebody else runs may be reached. */
  readonly foreign: ReturnType<typeof composeForeignRules>;
  readonly seal: Seal;
  /** The secret key. */
  readonly key: Uint8Array;
  /** The id of the data folder. */
  readonly home: string;
}

export interface GroundOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly releasers: Releasers;
  /** Called once the folder is locked, before anything is started. */
  readonly whenLocked: () => Promise<unknown>;
  /** Refuses a catalog that is another's, before its tables are changed. */
  readonly check: (parts: CheckParts) => Promise<void>;
  /** `leave`: nothing of the catalog is changed. */
  readonly tables?: OpenOptions['tables'];
  /** What becomes of the servers when all is released. */
  readonly onStop: () => 'stop' | 'keep';
}

/**
 * Builds and starts the ground, and gives the releasers what ends it.
 *
 * @throws FluxError `data_folder_locked`, `volume_unusable`, `catalog_unavailable`, `postgres_missing`
 */
export async function composeGround(options: GroundOptions): Promise<Ground> {
  const { config, clock, log, releasers, whenLocked, onStop } = options;
  await prepareDataFolder(config.dataFolder);
  releasers.add('the data folder', await lockFolder(config.dataFolder));
  await whenLocked();
  const key = await readSecretKey(config.dataFolder);
  const home = await readHome(config.dataFolder);
  const seal = createSeal(key);
  const standings = createStandings(createStamp(key, 'standings'));
  const expiryClock = await openExpiryClock(join(config.dataFolder, 'last-seen-time'), clock);
  const { removeRunFolder, ...machine } = await composeRuntime(config, clock, log);
  const { runtime, disposables, toolbox, defaultMajor } = machine;
  releasers.add('the folder for sockets', () => removeRunFolder(onStop()));
  releasers.add('the instances', () => runtime.close(onStop()));
  releasers.add('the standby for verifications', async () => disposables.close?.());
  await runtime.open();
  const { check, cluster } = separate(composeSharedCluster(config, runtime, defaultMajor, log), log);
  const catalog = await composeCatalog(
    { config, runtime, defaultMajor, log },
    {
      tables: options.tables ?? 'update',
      check: async (opened) => {
        // Two instances of our own are two.
        if (config.catalogUrl !== undefined || config.sharedPostgresUrl !== undefined) await check(opened);
        await options.check({ config, catalog: opened, key, home });
      },
    },
  );
  releasers.add('the catalog', () => catalog.close());
  const foreign = composeForeignRules(config, machine);
  const kept = { standings, clock: expiryClock, log };
  const engines = new EngineDirectory(
    {
      v1_dedicated: createDedicatedEngine({ ...kept, runtime, toolbox, defaultMajor, publicHost: '127.0.0.1' }),
      v2_shared: createSharedEngine({ ...kept, cluster }),
      attached: createAttachedEngine({ toolbox, foreign }),
    },
    seal,
  );
  return { ...machine, catalog, engines, cluster, expiryClock, foreign, seal, key, home };
}
