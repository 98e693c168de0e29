/** How a step is reached that no call leads to. */
export type HandOver = 'Over the wire' | 'Through the queue' | 'By its definition';

/** One step of a trace in ARCHITECTURE.md: a symbol in a file. */
export interface Step {
  readonly number: number;
  /** Below `packages/server/src/`, or below `packages/` when it begins with `cli` or `contract`. */
  readonly file: string;
  readonly symbol: string;
  readonly handOver?: HandOver;
  /** Name of the route that a hand-over over the wire uses. */
  readonly route?: string;
}

/** How one command is carried out, step by step. */
export interface Trace {
  readonly title: string;
  readonly steps: readonly Step[];
}

const HAND_OVER = /^(\d+)\. \*(Over the wire|Through the queue|By its definition)\*(?: \(`(\w+)`\))?: `([^`]+)` `(\w+)`/;
const CALL = /^(\d+)\. `([^`]+)` `(\w+)`/;

/** Reads the traces of ARCHITECTURE.md. @throws Error for a step that does not begin with a file and a symbol */
export function readTraces(text: string): readonly Trace[] {
  const section = text.split('\n## ').find((part) => part.startsWith('Three requests, traced'));
  if (section === undefined) throw new Error('ARCHITECTURE.md has no traces');
  return section
    .split('\n**`')
    .slice(1)
    .map((part) => {
      const [title = '', ...lines] = part.split('\n');
      return { title: title.replace('`**', ''), steps: lines.filter((line) => /^\d+\. /.test(line)).map(readStep) };
    });
}

function readStep(line: string): Step {
  const [, number, handOver, route, file = '', symbol = ''] = HAND_OVER.exec(line) ?? [];
  if (number !== undefined)
    return { number: Number(number), file, symbol, handOver: handOver as HandOver, ...(route === undefined ? {} : { route }) };
  const call = CALL.exec(line);
  if (call === null) throw new Error(`this step of ARCHITECTURE.md does not begin with a file and a symbol: ${line}`);
  return { number: Number(call[1]), file: call[2] ?? '', symbol: call[3] ?? '' };
}
