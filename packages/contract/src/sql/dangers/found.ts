import { type SqlToken, writeOnOneLine } from '../tokens.ts';

/** `destroys`: what was there is gone. `may_destroy`: that depends on the data. `unseen`: the text does not tell what will run. */
export type Effect = 'destroys' | 'may_destroy' | 'unseen';

/** One thing that was found, at an offset of the whole text. */
export interface Found {
  readonly at: number;
  readonly effect: Effect;
  readonly statement: string;
  readonly why: string;
}

/** A text that is looked through, and where its offsets lie in the whole one. */
export interface Reading {
  readonly text: string;
  /** Shared by everything that is read of one statement, texts inside of it included. */
  readonly effort: Effort;
  locate(offset: number): number;
  report(found: Found): void;
}

/**
 * What may still be spent on one statement. A body can be written so that each of its words begins a statement that reaches to
 * its end, or so that bodies stand in bodies; without a bound the time would grow with the square of the length.
 */
export interface Effort {
  /** Tokens and characters that may still be looked at. */
  left: number;
  /** How many statements stand around the one that is looked at. */
  depth: number;
  isExhausted: boolean;
}

/** No person and no generator nests statements deeper. */
const DEEPEST = 30;

/** The effort for a statement of some length: ordinary ones need about twice their length. */
export function createEffort(length: number): Effort {
  return { left: 2000 + 8 * length, depth: 0, isExhausted: false };
}

/** Takes some effort for looking at tokens. False when there is none left: then that is reported, once. */
export function spend({ effort, report, locate }: Reading, tokens: readonly SqlToken[], amount = tokens.length + 1): boolean {
  effort.left -= amount;
  if (effort.left >= 0 && effort.depth <= DEEPEST) return true;
  const first = tokens[0];
  if (!effort.isExhausted && first !== undefined)
    report({ at: locate(first.start), effect: 'unseen', statement: first.text, why: 'It is nested too deeply to be looked through.' });
  effort.isExhausted = true;
  return false;
}

/** What a rule says of some tokens; the statement that is shown is their text unless another one is given. */
export interface Remark {
  readonly effect: Effect;
  readonly why: string;
  readonly statement?: string;
}

/** Looks at a statement, and reports what it finds. */
export type Rule = (reading: Reading, tokens: readonly SqlToken[]) => void;

/** Looks at any statement. */
export interface Examiner {
  /** Tells by its first token whether there is anything to look for in a statement. */
  knows(first: SqlToken): boolean;
  readonly examine: Rule;
}

/** Reports a remark about some tokens that stand together. */
export function report(reading: Reading, tokens: readonly SqlToken[], { effect, why, statement }: Remark): void {
  const [first, last] = [tokens[0], tokens.at(-1)];
  if (first === undefined || last === undefined) return;
  const shown = statement ?? writeOnOneLine(reading.text, first.start, last.end);
  reading.report({ at: reading.locate(first.start), effect, why, statement: shown });
}
