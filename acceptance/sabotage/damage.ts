import type { Difference } from '@flux/contract/backup';
import type { ArchiveParts } from './archive.ts';

export type EngineKind = 'v1_dedicated' | 'v2_shared';

/** What a damage is made from, and with. */
export interface Material {
  /** The good artifact. */
  readonly artifact: Buffer;
  readonly parts: ArchiveParts;
  /** Schema of the tables. */
  readonly schema: string;
  /** Restores the artifact into a database of its own, runs SQL there as a superuser, and dumps that. */
  repack(sql: string, options?: { readonly dump?: readonly string[] }): Promise<Buffer>;
  /** The artifact of another project of the same engine. */
  readonly stranger: Buffer;
  /** The same tables and rows in the schema of another tenant; of a dedicated project, in another schema. */
  elsewhere(): Promise<Buffer>;
  readonly traps: Traps;
}

/** Things outside that hostile code would like to reach, and that tell when it did. */
export interface Traps {
  /** A word that everything hostile carries on its command line or in its file names. */
  readonly mark: string;
  /** A port of the loopback interface where somebody listens. */
  readonly port: number;
  /** Files that must not come into being. */
  readonly forbiddenFiles: readonly string[];
  /** Files whose content must not get out. */
  readonly secretFiles: readonly string[];
}

/** How a damage must be noticed. */
export interface Expectation {
  /** `stopped`: a bound of the sandbox may have ended it, which proves nothing about the artifact. */
  readonly verdict: 'failed' | 'inconclusive';
  /** In the summary, in pg_restore's words, or in a difference. */
  readonly says?: RegExp;
  /** Every failure that the comparison must name, and no other. */
  readonly differences?: readonly ExpectedDifference[];
}

export type ExpectedDifference = readonly [kind: string, name: string, change: Difference['change']];

/** One way in which an artifact can be bad. */
export interface Damage {
  readonly name: string;
  readonly engine: EngineKind;
  readonly about: 'bytes' | 'content' | 'objects' | 'hostile';
  /** Makes the bytes that stand in for the artifact. */
  make(material: Material): Promise<Buffer> | Buffer;
  /** Whether size and SHA-256 in the catalog are made to fit, so that the bytes alone do not give it away. */
  readonly catalogFits: boolean;
  expects(schema: string): Expectation;
  /** It would take for ever, so it runs under a short bound of time. */
  readonly isEndless?: true;
}
