import type { Config } from '../config.ts';
import { parsePostgresUri } from '../engines/uri.ts';
import { createAddressCheck } from '../postgres/addresses.ts';
import type { ForeignRules } from '../postgres/foreign.ts';
import { ForeignLookups } from '../postgres/lookups.ts';
import type { Runtime } from './runtime.ts';

/** What holds for databases of others: among the rest, that they are not servers of Flux itself. */
export function composeForeignRules(config: Config, { runtime, ownAddresses }: Pick<Runtime, 'runtime' | 'ownAddresses'>): ForeignRules {
  const { catalogUrl, sharedPostgresUrl } = config;
  const external = [catalogUrl, sharedPostgresUrl].filter((url) => url !== undefined).map(parsePostgresUri);
  return {
    lookWithinMs: config.foreignTimeoutMs,
    addresses: createAddressCheck({
      allowed: config.foreignAddresses,
      ownServers: external.flatMap((target) => [target, ...(target.otherHosts ?? [])]),
      ownAddresses,
      lookups: new ForeignLookups(),
      ownPorts: async () => new Set([config.listen.port, ...(await runtime.list()).flatMap(({ port }) => (port === null ? [] : [port]))]),
    }),
  };
}
