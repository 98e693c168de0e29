import { BackupScope } from '@flux/contract/backup-scope';
import { FluxError } from '@flux/contract/errors';
import type { UserId } from '@flux/contract/ids';
import type { EngineKind } from '@flux/contract/labels';
import * as z from 'zod';
import type { Seal } from '../system/seal.ts';
import type { Engine, EngineProject, ProjectSecrets } from './engine.ts';
import { LedgerReads } from './ledger-reads.ts';
import type { StandingSupport } from './standing.ts';

/** One of each engine. */
export interface EngineSet extends Readonly<Record<EngineKind, Engine>> {
  readonly attached: Engine;
}

/** The columns of a project that choose its engine and open its secrets. */
export interface StoredProject extends Omit<EngineProject, 'ownerId' | 'secrets' | 'scope'> {
  readonly owner_id: UserId;
  /** Its database is the user's own; `engine` says what it looks like. */
  readonly attached: boolean;
  readonly sealed_secrets: Uint8Array;
  /** As JSON: a `BackupScope`. */
  readonly scope: object | null;
}

/** Secrets as the catalog stores them, sealed. */
const StoredSecrets = z.object({
  loginPassword: z.string(),
  ownerPassword: z.string(),
  backupPassword: z.string(),
  jwtSecret: z.string(),
  attachedUri: z.string().optional(),
});

/** Finds the engine of a project and opens the project's secrets for it. */
export class EngineDirectory {
  /** Whose turn it is to read a ledger for a request. */
  readonly ledgerReads = new LedgerReads();
  readonly #engines: EngineSet;
  readonly #seal: Seal;

  constructor(engines: EngineSet, seal: Seal) {
    this.#engines = engines;
    this.#seal = seal;
  }

  /** @throws FluxError `volume_unusable` when the secrets cannot be opened, or the row of the project is damaged */
  of(stored: StoredProject): { readonly engine: Engine; readonly project: EngineProject } {
    const { engine, project } = this.toLook(stored);
    const { scope, secrets } = project;
    return { engine, project: { ...project, secrets, ...(scope === undefined ? {} : { scope }) } };
  }

  /**
   * For what changes nothing, and may be asked of thousands: only who reads the secrets or the scope has them opened, and gets the error of
   * `of` then. One damaged row is in nobody else's way.
   */
  toLook(stored: StoredProject): { readonly engine: Engine; readonly project: EngineProject } {
    const { id, slug, hash, owner_id: ownerId, engine, attached, scope } = stored;
    const unseal = () => this.#unseal(stored);
    let secrets: ProjectSecrets | undefined;
    return {
      engine: attached ? this.#engines.attached : this.#engines[engine],
      project: {
        id,
        slug,
        hash,
        ownerId,
        engine,
        get secrets() {
          secrets ??= unseal();
          return secrets;
        },
        get scope() {
          return readScope({ slug, hash, scope });
        },
      },
    };
  }

  /** What the data of every project of this kind says of itself. @throws TypeError for an engine without standings */
  standingOf(kind: EngineKind): StandingSupport {
    const { standing, name } = this.#engines[kind];
    if (standing === undefined) throw new TypeError(`the engine ${name} keeps no standings`);
    return standing;
  }

  /** Deletes what has lain in the trash of the pool for longer than a time. @returns the names of what was deleted */
  async emptyTrash(...expiry: Parameters<NonNullable<Engine['emptyTrash']>>): Promise<readonly string[]> {
    return (await this.#engines.v2_shared.emptyTrash?.(...expiry)) ?? [];
  }

  /** The bytes that the catalog stores. */
  sealSecrets(secrets: ProjectSecrets): Buffer {
    return this.#seal.seal(JSON.stringify(secrets));
  }

  #unseal({ slug, sealed_secrets }: StoredProject): ProjectSecrets {
    let plain: string;
    try {
      plain = this.#seal.unseal(sealed_secrets);
    } catch (cause) {
      throw new FluxError('volume_unusable', `The secrets of ${slug} cannot be opened: the catalog was sealed with another secret key.`, {
        hint: 'Put back the file secret.key of the data folder that belongs to this catalog.',
        cause,
      });
    }
    return parseSecrets(slug, plain);
  }
}

/** Which part of an attached database is backed up. @throws FluxError `volume_unusable` for a column that Flux did not write */
export function readScope({ slug, hash, scope }: Pick<StoredProject, 'slug' | 'hash' | 'scope'>): BackupScope | undefined {
  if (scope === null) return undefined;
  const read = BackupScope.safeParse(scope);
  if (read.success) return read.data;
  throw new FluxError('volume_unusable', `Which part of ${slug} is backed up cannot be read: its row in the catalog is damaged.`, {
    hint: `Choose it again: \`flux project attach ${slug} --hash ${hash} --schema <pattern>\`, or --whole-database.`,
    cause: read.error,
  });
}

function parseSecrets(slug: string, plain: string): ProjectSecrets {
  try {
    return StoredSecrets.parse(JSON.parse(plain));
  } catch (cause) {
    throw new FluxError('volume_unusable', `The secrets of ${slug} are not whole: its row in the catalog is damaged.`, {
      hint: 'Put back a copy of the catalog from before that, then run `flux-server reconcile --dry-run`.',
      cause,
    });
  }
}
