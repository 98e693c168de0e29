import { randomInt } from 'node:crypto';
import { displayLines } from '@flux/contract/display';

/** Colours for the texts of an output. */
export interface Colors {
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
}

/** The colours of one stream. */
export interface StreamColors extends Colors {
  /** A text as it may be written to the stream: of what a terminal acts on, only these colours. */
  shown(text: string): string;
}

/** No colour: the default of the terminal. */
const DEFAULT = 39;

/**
 * Creates the colours of a stream. Until it is written, each code carries a key that exists only in this process: a name or a file with
 * colour codes in it, which could hide the words after it, is shown with these codes as text.
 */
export function createColors(isOn: boolean): StreamColors {
  // In groups of four digits, which everything that measures texts takes for part of the code.
  const key = Array.from({ length: 4 }, () => randomInt(1000, 10_000)).join(';');
  // The escape character is not in the pattern, because linters take it for a mistake.
  const own = new RegExp(`${ESCAPE}\\[(\\d+);${key}m`);
  const paint = (code: number) => (text: string) => (isOn ? `${ESCAPE}[${code};${key}m${text}${ESCAPE}[${DEFAULT};${key}m` : text);
  return {
    red: paint(31),
    green: paint(32),
    yellow: paint(33),
    shown: (text) =>
      text
        .split(own)
        .map((part, index) => (index % 2 === 0 ? displayLines(part) : `${ESCAPE}[${part}m`))
        .join(''),
  };
}

const ESCAPE = String.fromCharCode(27);
