import { SessionPlaces } from '../../postgres/session-places.ts';
import type { PostgresTarget } from '../../postgres/target.ts';

/**
 * The places of sessions on servers that Flux does not run: of each owner of projects, and of each address that is really connected to, their
 * own. A URI may name the server of somebody else and end up at another one, so neither what it says nor what a server answers may count
 * for another owner.
 */
export class PlacesOfServers {
  /** Whoever has a place, waits for one, or is about to take one holds the object. When nobody does, nothing of it is in use. */
  readonly #known = new Map<string, WeakRef<SessionPlaces>>();
  readonly #unused = new FinalizationRegistry<string>((key) => {
    if (this.#known.get(key)?.deref() === undefined) this.#known.delete(key);
  });

  /** How many are remembered. */
  get size(): number {
    return this.#known.size;
  }

  of(ownerId: string, { address, host, port }: Pick<PostgresTarget, 'address' | 'host' | 'port'>): SessionPlaces {
    const key = JSON.stringify([ownerId, address ?? host, port]);
    const known = this.#known.get(key)?.deref();
    if (known !== undefined) return known;
    const created = new SessionPlaces();
    this.#known.set(key, new WeakRef(created));
    this.#unused.register(created, key);
    return created;
  }
}
