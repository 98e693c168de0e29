import type { Grammar } from '../grammar.ts';

/** `destroys`: what was there is gone. `may_destroy`: that depends on the data. `unseen`: the text could not be analysed. */
export type Effect = 'destroys' | 'may_destroy' | 'unseen';

/** What a rule says of a statement. */
export interface Remark {
  readonly effect: Effect;
  /** What would be lost, or what could not be analysed, in a sentence or two. */
  readonly why: string;
}

/** A remark with the statement that it is about, at an offset of the whole text. */
export interface Found extends Remark {
  readonly at: number;
  readonly statement: string;
}

/** A part of the text that is analysed as one statement. */
export interface Fragment {
  readonly text: string;
  /** Turns an offset of `text` into one of the whole text. */
  locate(offset: number): number;
}

/** One analysis: what everything inside of one statement shares. */
export interface Analysis {
  readonly grammar: Grammar;
  /** How many bodies and dynamic statements stand around the one that is analysed. */
  readonly depth: number;
  /** Characters that may still be parsed; bodies in bodies would otherwise be parsed once for each level. */
  readonly budget: { left: number };
}

/** Analyses one statement; bodies contain statements, so rules call back to it. */
export type Analyse = (analysis: Analysis, fragment: Fragment) => Promise<readonly Found[]>;

/** Neither people nor generators nest bodies deeper. */
const MAX_DEPTH = 8;

/** The analysis of what stands inside of a statement; undefined when that is nested too deeply. */
export function descend(analysis: Analysis, characters: number): Analysis | undefined {
  analysis.budget.left -= characters;
  if (analysis.depth >= MAX_DEPTH || analysis.budget.left < 0) return undefined;
  return { ...analysis, depth: analysis.depth + 1 };
}

/** A refusal of the parser in words for people. */
export function couldNotAnalyse(reason: string): Remark {
  return { effect: 'unseen', why: `It could not be analysed: ${reason}.` };
}

/** Stands in a dynamic statement for a name that is only known when it runs. */
export const NAME_TO_COME = 'flux_name';
