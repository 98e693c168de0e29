import type { EngineKind } from '@flux/contract/labels';
import type { Flux } from '../harness/flux.ts';

/** A command that is cut off, and what may be found afterwards. */
export interface Scenario {
  readonly name: string;
  readonly engine: EngineKind;
  /** True when the sample does without it. */
  readonly isLong?: boolean;
  /** Brings about what a run of the command begins with. `serial` is another one each time, for names. */
  prepare(flux: Flux, serial: number): Promise<Prepared>;
}

/** What a run of the command begins with. */
export interface Prepared {
  readonly command: readonly string[];
  /**
   * Everything that the command may change, without what is another one in every run (ids, times): the rows and objects of the
   * project, its lines in the catalog, its files. Two states are the same when these are equal.
   */
  read(): Promise<State>;
  /** What the command brings about: from the state before it, and from what an undisturbed run of it left. */
  goal(old: State, undisturbed: State): State;
  /** How the command ends when it is run although it came to its end before the cut. */
  readonly whenDone: { readonly exitCode: number; readonly says: string };
  /** Removes what the next run has no use for. */
  cleanUp?(): Promise<void>;
  /** What must not be there after the command came to its end; each a sentence. */
  findLitter(): Promise<readonly string[]>;
}

/** Texts under names, so that a difference says where it is. */
export type State = Readonly<Record<string, unknown>> & { readonly data: Data | 'gone' };

/** Rows and objects of a schema. */
export interface Data {
  /** How many rows each table has, and a digest of them. */
  readonly rows: Readonly<Record<string, string>>;
  /** A line for each object. */
  readonly objects: string;
}
