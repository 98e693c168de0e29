import type { Writable } from 'node:stream';
import { displayJson, displaySafe } from '@flux/contract/display';
import { type Colors, createColors } from './colors.ts';
import { completeCommands, type SuggestionFlags } from './complete-commands.ts';

/** A stream that may be a terminal. */
type Terminal = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** The two streams and how to write to them. */
export interface OutputOptions {
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly json: boolean;
  /** False for --no-color and NO_COLOR; true still means only on a terminal. */
  readonly color: boolean;
  /** `--api-base` of this run, for the commands that it suggests. */
  readonly apiBase: string | null;
}

/** The status line on stderr. */
interface Status {
  /** Replaces the line on a terminal; elsewhere a text is printed once per `step`. */
  update(text: string, step?: string): void;
  /** Shows a text only while nothing else is shown, and only on a terminal. */
  idle(text: string): void;
  /** Removes the line. */
  clear(): void;
}

/** The only writer to the terminal: the answer on stdout, everything else on stderr. */
export interface Output {
  readonly json: boolean;
  /** Whether stderr is a terminal, so that a line may be replaced there. */
  readonly isAnimated: boolean;
  /** Width of stdout when it is a terminal, else unlimited. */
  readonly columns: number;
  readonly colors: Colors;
  /** The answer: the lines for people, or with --json the document and nothing else. */
  answer(lines: readonly string[], document: unknown): void;
  /** A line of an answer that is printed piece by piece; nothing with --json. */
  line(text: string): void;
  /** Something worth knowing, on stderr; nothing with --json. */
  note(text: string): void;
  /** Notes that the run is about a project which only its command line names; suggested commands name it too from then on. */
  about(projectFlags: string): void;
  /** The flags that suggested commands need. */
  suggestions(): SuggestionFlags;
  /** The next command, on stderr, with the flags that it needs; nothing with --json. */
  next(command: string, why: string): void;
  /** A warning, on stderr, always. */
  warn(text: string): void;
  /** An error, already rendered, on stderr. */
  error(text: string): void;
  readonly status: Status;
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 80;

/** Opens the output of one run. A reader of stdout that goes away (`| head -3`) is not an error: further output is dropped. */
export function createOutput({ stdout, stderr, json, color, apiBase }: OutputOptions): Output {
  const colors = createColors(color && stdout.isTTY === true);
  const status = createStatus(stderr, json);
  let isBroken = false;
  let project: string | null = null;
  const suggestions = (): SuggestionFlags => ({ apiBase, project });
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    isBroken = true;
  });
  // A closed stderr must not turn a finished backup into a crash.
  stderr.on('error', () => {});
  const errColors = createColors(color && stderr.isTTY === true);

  const out = (text: string): void => {
    status.clear();
    if (!isBroken) stdout.write(`${colors.shown(text)}\n`);
  };
  const err = (text: string): void => {
    status.clear();
    stderr.write(`${errColors.shown(text)}\n`);
  };

  return {
    json,
    isAnimated: stderr.isTTY === true && !json,
    columns: stdout.isTTY === true ? (stdout.columns ?? 80) : Number.POSITIVE_INFINITY,
    colors,
    answer(lines, document) {
      if (json) out(displayJson(JSON.stringify(document, null, 2)));
      else if (lines.length > 0) out(lines.join('\n'));
    },
    line: (text) => {
      if (!json) out(text);
    },
    note: (text) => {
      if (!json) err(text);
    },
    about: (flags) => {
      project = flags;
    },
    suggestions,
    next: (command, why) => {
      if (!json) err(`${why}\n  ${completeCommands(command, suggestions())}`);
    },
    warn: (text) => err(json ? displayJson(JSON.stringify({ warning: text })) : `${errColors.yellow('Warning:')} ${text}`),
    error: (text) => err(text.replace(/^Error:/, (word) => errColors.red(word))),
    status,
  };
}

function createStatus(stderr: Terminal, json: boolean): Status {
  if (json) return { update: () => {}, idle: () => {}, clear: () => {} };
  if (stderr.isTTY !== true) {
    let last = '';
    return {
      update(text, step = text) {
        if (step === last) return;
        last = step;
        stderr.write(`${displaySafe(text)}\n`);
      },
      idle() {},
      clear() {},
    };
  }
  let timer: NodeJS.Timeout | null = null;
  let text = '';
  let frame = 0;
  const draw = (): void => {
    const line = `${FRAMES[frame % FRAMES.length]} ${text}`;
    stderr.write(`\r\u001b[2K${line.slice(0, Math.max(20, (stderr.columns ?? 80) - 1))}`);
  };
  const update = (next: string): void => {
    text = displaySafe(next);
    draw();
    timer ??= setInterval(() => {
      frame += 1;
      draw();
    }, FRAME_MS).unref();
  };
  return {
    update,
    idle(next) {
      if (timer === null) update(next);
    },
    clear() {
      if (timer === null) return;
      clearInterval(timer);
      timer = null;
      stderr.write('\r\u001b[2K');
    },
  };
}
