import type { Difference } from '@flux/contract/backup';
import type { ArchiveParts } from './archive.ts';

export type EngineKind = 'v1_dedicated' | 'v2_shared';

/** What a damage is created from. */
export interface Material {
  /** The good artifact. */
  readonly artifact: Buffer;
  readonly parts: ArchiveParts;
  /** Schema of the tables. */
  readonly schema: string;
  /** Restores the artifact into a separate database, runs SQL there as a superuser, and dumps it. */
  repack(sql: string, options?: { readonly dump?: readonly string[] }): Promise<Buffer>;
  /** The artifact of another project of the same engine. */
  readonly stranger: Buffer;
  /** The same tables and rows in the schema of another tenant; of a dedicated project, in another schema. */
  elsewhere(): Promise<Buffer>;
  readonly traps: Traps;
}

/** Targets outside the sandbox that report when hostile code reaches them. */
export interface Traps {
  /** A word in the command lines and file names of all hostile programs. */
  readonly mark: string;
  /** A loopback port with a listener. */
  readonly port: number;
  /** Files that must not be created. */
  readonly forbiddenFiles: readonly string[];
  /** Files whose content must not leak. */
  readonly secretFiles: readonly string[];
}

/** How a damage must be detected. */
export interface Expectation {
  /** `stopped`: a limit of the sandbox may have ended it, which proves nothing about the artifact. */
  readonly verdict: 'failed' | 'inconclusive';
  /** In the summary, in pg_restore's output, or in a difference. */
  readonly says?: RegExp;
  /** Exactly the failures that the comparison must report. */
  readonly differences?: readonly ExpectedDifference[];
}

export type ExpectedDifference = readonly [kind: string, name: string, change: Difference['change']];

/** One way to damage an artifact. */
export interface Damage {
  readonly name: string;
  readonly engine: EngineKind;
  readonly about: 'bytes' | 'content' | 'objects' | 'hostile';
  /** Creates the bytes that replace the artifact. */
  make(material: Material): Promise<Buffer> | Buffer;
  /** Whether size and SHA-256 in the catalog are updated to match, so that the bytes alone do not reveal it. */
  readonly catalogFits: boolean;
  expects(schema: string): Expectation;
  /** It would never end, so it runs with a short time limit. */
  readonly isEndless?: true;
}
