import { scanToken } from './scan.ts';
import { createPlaceCounter, type SqlPlace } from './split.ts';

/** A comment with which a migration tool says that what follows is one half of the file. */
export interface WayMarker extends SqlPlace {
  readonly tool: string;
  readonly way: 'up' | 'down';
  /** The comment, on one line. */
  readonly text: string;
}

/** Why a text must not be run: a whole sentence without its full stop, and what to do. */
export interface TextRefusal extends SqlPlace {
  readonly problem: string;
  readonly hint: string;
}

/** The half of a migration that is meant to run. */
export interface WayUp {
  /** As long as the text, with its line breaks; the way down and the markers are blanks, so every offset keeps its meaning. */
  readonly sql: string;
  readonly markers: readonly WayMarker[];
  readonly refusal: TextRefusal | undefined;
}

/** Files of these tools are read as the tools read them; case and blanks may differ. A comment comes without its leading dashes. */
const TOOLS: readonly { readonly tool: string; readonly up?: RegExp; readonly down: RegExp }[] = [
  { tool: 'dbmate', up: /^migrate\s*:\s*up\b/i, down: /^migrate\s*:\s*down\b/i },
  { tool: 'goose', up: /^\+\s*goose\s+up\b/i, down: /^\+\s*goose\s+down\b/i },
  { tool: 'sql-migrate', up: /^\+\s*migrate\s+up\b/i, down: /^\+\s*migrate\s+down\b/i },
  { tool: 'micrate', up: /^\+\s*micrate\s+up\b/i, down: /^\+\s*micrate\s+down\b/i },
  { tool: 'node-pg-migrate', up: /^up\s+migration\b/i, down: /^down\s+migration\b/i },
  { tool: 'rambler', up: /^rambler\s+up\b/i, down: /^rambler\s+down\b/i },
  { tool: 'Play', up: /^!\s*ups\b/i, down: /^!\s*downs\b/i },
  { tool: 'shmig', up: /^=+\s*up\s*=+$/i, down: /^=+\s*down\s*=+$/i },
  { tool: 'MyBatis', down: /^\/\/\s*@undo\b/i },
  { tool: 'tern', down: /^create above \/ drop below\b/i },
];

const SUBSTITUTION = /^\+\s*goose\s+envsub\s+on\b/i;
/** A comment that is nothing but a name for the way down, perhaps with one word before and one behind. */
const LIKE_DOWN =
  /^(?:[\p{L}\d]+[^\p{L}\d]+)?(?:down|downs|undo|rollback|rollbacks|revert|backward|backwards)(?:[^\p{L}\d]+(?:migrations?|scripts?|sections?|sql|part|here|below|starts?|begins?|changes?|plan|steps?|statements?|commands?|queries))?$/iu;
/** Nearly every text has none of these words, and then its comments need not be looked for. */
const MAY_HAVE_MARKERS = /(?<![a-z\d])(?:ups?|downs?|undo|rollbacks?|revert|backwards?|below|envsub)(?![a-z\d])/i;
const LONGEST_MARKER = 200;
const SPLIT_IT = 'Put the way down into a file of its own, or remove it; a push only runs what leads forward.';

interface Comment {
  readonly start: number;
  readonly end: number;
  /** Without dashes, slashes and stars around it. */
  readonly text: string;
  readonly kind: 'line' | 'block';
  /** Only blanks stand before it on its line. */
  readonly isFirst: boolean;
  /** Whether a statement is open at it. */
  readonly isInside: boolean;
}

/**
 * Leaves of a migration only the way up. Tools keep both ways in one file, separated by comments; to the server they are one script
 * that creates and then drops. Comments in strings, bodies and other comments are not markers.
 *
 * A marker of an unknown tool, or one that leaves open what runs, is a refusal.
 */
export function readWayUp(sql: string): WayUp {
  if (!MAY_HAVE_MARKERS.test(sql)) return { sql, markers: [], refusal: undefined };
  const { comments, statements } = readComments(sql);
  const placeOf = createPlaceCounter(sql);
  const hasStatement = (from: number, to: number) => statements.some((at) => at >= from && at < to);
  const markers: (WayMarker & { readonly start: number; readonly end: number })[] = [];
  let refusal: TextRefusal | undefined;
  for (const comment of comments) {
    const known = comment.kind === 'line' ? knownMarker(comment.text) : undefined;
    const text = sql
      .slice(comment.start, Math.min(comment.end, comment.start + LONGEST_MARKER))
      .trim()
      .replace(/\s+/g, ' ');
    if (known !== undefined && comment.isFirst)
      markers.push({ ...known, text, start: comment.start, end: comment.end, ...placeOf(comment.start) });
    else if (SUBSTITUTION.test(comment.text))
      refusal ??= {
        ...placeOf(comment.start),
        problem: `\`${text}\` has goose put environment variables into the SQL, which a push does not do`,
        hint: 'Write the values into the file, or run it with goose and the URI that `flux project credentials` prints.',
      };
    else if (looksLikeDown(comment, known?.way) && hasStatement(comment.end, sql.length))
      refusal ??= {
        ...placeOf(comment.start),
        problem: `\`${text}\` looks like the beginning of a way down, of a tool that Flux does not know, and a push would run both ways`,
        hint: `${SPLIT_IT} If all of it is meant to run, reword the comment.`,
      };
  }
  if (refusal !== undefined || markers.length === 0) return { sql, markers, refusal };
  return { ...cut(sql, markers, hasStatement), markers: markers.map(({ start: _, end: __, ...marker }) => marker) };
}

function cut(
  sql: string,
  markers: readonly (WayMarker & { readonly start: number; readonly end: number })[],
  hasStatement: (from: number, to: number) => boolean,
): Pick<WayUp, 'sql' | 'refusal'> {
  const [first] = markers;
  if (first === undefined) return { sql, refusal: undefined };
  const hasUp = markers.some(({ way }) => way === 'up');
  const refuse = (problem: string, hint: string) => ({ sql, refusal: { line: first.line, column: first.column, problem, hint } });
  // The tools disagree about it: some run it, some leave it out, some refuse it.
  if (hasUp && hasStatement(0, first.start))
    return refuse(
      `there are statements above \`${first.text}\`, the first marker of ${first.tool}, and it is not clear whether they are to run`,
      'Move them below the marker of the way up.',
    );
  let kept = hasUp ? blank(sql.slice(0, first.start)) : sql.slice(0, first.start);
  let runs = !hasUp && hasStatement(0, first.start);
  markers.forEach((marker, index) => {
    const end = markers[index + 1]?.start ?? sql.length;
    kept += blank(sql.slice(marker.start, marker.end));
    kept += marker.way === 'up' ? sql.slice(marker.end, end) : blank(sql.slice(marker.end, end));
    runs ||= marker.way === 'up';
  });
  if (!runs && hasStatement(first.end, sql.length))
    return refuse(
      `everything stands below \`${first.text}\`, which is the way down in ${first.tool}, so there is nothing to run`,
      'Reword the comment if it is meant to run, or push the file of the way up.',
    );
  return { sql: kept, refusal: undefined };
}

/** The same text with blanks for everything but line breaks and the byte order mark. */
export function blank(text: string): string {
  return text.replace(/[^\r\n\uFEFF]/g, ' ');
}

function knownMarker(text: string): Pick<WayMarker, 'tool' | 'way'> | undefined {
  for (const { tool, up, down } of TOOLS) {
    if (up?.test(text)) return { tool, way: 'up' };
    if (down.test(text)) return { tool, way: 'down' };
  }
  return undefined;
}

function looksLikeDown({ text, isInside }: Comment, known: 'up' | 'down' | undefined): boolean {
  if (known === 'down') return true;
  return !isInside && LIKE_DOWN.test(text.replace(/^[^\p{L}\d]+|[^\p{L}\d]+$/gu, ''));
}

/** The comments that may be markers, and where a statement stands: the first piece of one behind each of the comments. */
function readComments(sql: string): { readonly comments: readonly Comment[]; readonly statements: readonly number[] } {
  const comments: Comment[] = [];
  const statements: number[] = [];
  let lineStart = 0;
  let isInside = false;
  let isFirstPiece = true;
  for (let at = sql.startsWith('\uFEFF') ? 1 : 0; at < sql.length; ) {
    const { kind, end } = scanToken(sql, at);
    const opener = kind === 'space' ? sql.slice(at, at + 2) : '';
    if (opener === '--' || opener === '/*') {
      const before = sql.slice(Math.max(lineStart, at - LONGEST_MARKER), at).trim();
      // Play writes its markers as `# --- !Ups`, which is not a comment to Postgres.
      const start = before === '#' ? sql.lastIndexOf('#', at) : at;
      if (start !== at) {
        if (statements.at(-1) === start) statements.pop();
        isInside = false;
      }
      const isLine = opener === '--';
      const shown = sql.slice(at, Math.min(end, at + LONGEST_MARKER));
      const text = isLine ? shown.replace(/^-+/, '') : shown.slice(2).replace(/\*+\/$/, '');
      const isFirst = before === '' || before === '#';
      comments.push({ start, end, text: text.trim(), kind: isLine ? 'line' : 'block', isFirst, isInside });
      isFirstPiece = true;
    } else if (kind === 'semicolon') isInside = false;
    else if (kind !== 'space') {
      if (isFirstPiece) statements.push(at);
      isFirstPiece = false;
      isInside = true;
    }
    const piece = sql.slice(at, end);
    const lineBreak = Math.max(piece.lastIndexOf('\n'), piece.lastIndexOf('\r'));
    if (lineBreak >= 0) lineStart = at + lineBreak + 1;
    at = end;
  }
  return { comments, statements };
}
