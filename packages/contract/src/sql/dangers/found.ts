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
  locate(offset: number): number;
  report(found: Found): void;
}

/** What a rule says of some tokens; the statement that is shown is their text unless another one is given. */
export interface Remark {
  readonly effect: Effect;
  readonly why: string;
  readonly statement?: string;
}

/** Looks at a statement, and reports what it finds. */
export type Rule = (reading: Reading, tokens: readonly SqlToken[]) => void;

/** Reports a remark about some tokens that stand together. */
export function report(reading: Reading, tokens: readonly SqlToken[], { effect, why, statement }: Remark): void {
  const [first, last] = [tokens[0], tokens.at(-1)];
  if (first === undefined || last === undefined) return;
  const shown = statement ?? writeOnOneLine(reading.text, first.start, last.end);
  reading.report({ at: reading.locate(first.start), effect, why, statement: shown });
}
