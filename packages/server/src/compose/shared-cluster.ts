import { FluxError } from '@flux/contract/errors';
import type { Config } from '../config.ts';
import { embeddedSharedCluster, externalSharedCluster, type SharedCluster } from '../engines/shared/cluster.ts';
import { parsePostgresUri } from '../engines/uri.ts';
import type { InstanceRuntime } from '../instances/instance.ts';
import type { Log } from '../system/log.ts';

/** The pooled cluster of v2 projects: the one of FLUX_SHARED_POSTGRES_URL, or an instance of our own. */
export function composeSharedCluster(config: Config, runtime: InstanceRuntime, major: () => number, log: Log): SharedCluster {
  const { tempFileBytes } = config.pool;
  if (config.sharedPostgresUrl === undefined) return embeddedSharedCluster({ runtime, major, publicHost: '127.0.0.1', tempFileBytes });
  const target = parsePostgresUri(config.sharedPostgresUrl);
  if (target.otherHosts !== undefined)
    throw new FluxError('config_invalid', 'FLUX_SHARED_POSTGRES_URL names several hosts.', {
      hint: 'Give the one that takes writes; projects are made on it.',
    });
  return externalSharedCluster({ target, log, tempFileBytes });
}
