import { BackupScope } from '@flux/contract/backup-scope';
import { FluxError } from '@flux/contract/errors';
import type { EngineKind } from '@flux/contract/labels';
import * as z from 'zod';
import type { Seal } from '../system/seal.ts';
import type { Engine, EngineProject, ProjectSecrets } from './engine.ts';
import type { StandingSupport } from './standing.ts';

/** One of each engine. */
export interface EngineSet extends Readonly<Record<EngineKind, Engine>> {
  readonly attached: Engine;
}

/** The columns of a project that choose its engine and open its secrets. */
export interface StoredProject extends Omit<EngineProject, 'secrets' | 'scope'> {
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
  readonly #engines: EngineSet;
  readonly #seal: Seal;

  constructor(engines: EngineSet, seal: Seal) {
    this.#engines = engines;
    this.#seal = seal;
  }

  /** @throws FluxError `volume_unusable` when the secrets were sealed with another key */
  of(stored: StoredProject): { readonly engine: Engine; readonly project: EngineProject } {
    const { engine, project } = this.toLook(stored);
    return { engine, project: { ...project, secrets: project.secrets } };
  }

  /** For what changes nothing, and may be asked of thousands: only who reads the secrets has them opened, and gets the error of `of` then. */
  toLook(stored: StoredProject): { readonly engine: Engine; readonly project: EngineProject } {
    const { id, slug, hash, engine, attached, scope } = stored;
    const unseal = () => this.#unseal(stored);
    let secrets: ProjectSecrets | undefined;
    return {
      engine: attached ? this.#engines.attached : this.#engines[engine],
      project: {
        id,
        slug,
        hash,
        engine,
        get secrets() {
          secrets ??= unseal();
          return secrets;
        },
        ...(scope === null ? {} : { scope: BackupScope.parse(scope) }),
      },
    };
  }

  /** What the data of every project of this kind says of itself. @throws TypeError for an engine without standings */
  standingOf(kind: EngineKind): StandingSupport {
    const { standing, name } = this.#engines[kind];
    if (standing === undefined) throw new TypeError(`the engine ${name} keeps no standings`);
    return standing;
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
    return StoredSecrets.parse(JSON.parse(plain));
  }
}
