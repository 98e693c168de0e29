import { type DockerEngine, engineError, LABELS } from './engine.ts';

/**
 * The addresses that the containers of Flux have now on the networks of the engine, also those of another data folder: whoever reaches the
 * host's bridge reaches their Postgres there, beside its published port.
 *
 * @throws FluxError `instance_unavailable` when the engine does not answer
 */
export async function listContainerAddresses(engine: DockerEngine): Promise<ReadonlySet<string>> {
  try {
    const containers = await engine.client.listContainers({ filters: { label: [LABELS.owner] } });
    const networks = containers.flatMap(({ NetworkSettings }) => Object.values(NetworkSettings?.Networks ?? {}));
    return new Set(networks.flatMap(({ IPAddress, GlobalIPv6Address }) => [IPAddress, GlobalIPv6Address]).filter((address) => address));
  } catch (error) {
    throw engineError(error, engine, 'instance_unavailable');
  }
}
