import type { EngineKind } from '@flux/contract/labels';
import type { BlobStore } from '../../blobs/store.ts';
import type { Catalog } from '../../catalog/open.ts';
import type { EngineDirectory } from '../../engines/directory.ts';
import type { Clock } from '../../system/clock.ts';
import type { Log } from '../../system/log.ts';
import type { Seal } from '../../system/seal.ts';

/** What comparing the catalog with what is found uses. */
export interface ReconcileDeps {
  readonly catalog: Catalog;
  readonly engines: EngineDirectory;
  readonly store: BlobStore;
  readonly seal: Seal;
  readonly clock: Clock;
  readonly log: Log;
}

/** Something that is found and that the catalog does not know, or knows as something older. */
export interface Adoption {
  /**
   * Names it for later starts, which pass it over once it could not be adopted. Undefined for what no start may pass over: when it cannot be
   * adopted, nothing after it may be, because what is left to adopt is what keeps the next start back.
   */
  readonly id?: string;
  /** What was found, and what the catalog says; a sentence. */
  readonly found: string;
  /** Why an earlier `flux-server reconcile --apply` could not adopt it. */
  readonly passedOver?: string;
  /** Brings the catalog up to date, in a transaction of its own. Undefined for what somebody has to decide. */
  readonly apply?: () => Promise<void>;
}

/** The catalog, compared with what is found. */
export interface Comparison {
  /** In an order in which it can be adopted. */
  readonly adoptions: readonly Adoption[];
  /** What could not be compared, why, and what to do; a sentence each. */
  readonly notCompared: readonly string[];
  /** The engines of which nothing was compared. */
  readonly unknownEngines: readonly EngineKind[];
}

/** Who the audit names for what `flux-server reconcile` does. */
export const NOBODY = { userId: null, tokenId: null } as const;
