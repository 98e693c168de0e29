/** pg_restore prints the statement that failed after this. */
const COMMAND = 'Command was: ';
/** Lines of pg_restore itself. A line of a statement may look the same; then less of the statement is left out, and it was printed by its author. */
const OWN_LINE = /^(pg_restore|unshare|setpriv|bwrap): /;
/** Statements whose texts are passwords and addresses. */
const SECRET = /^(CREATE|ALTER) (USER MAPPING|SUBSCRIPTION|SERVER|FOREIGN TABLE|FOREIGN DATA WRAPPER)\b/;

/** A line of libpq without the path of a socket, which tells where Flux keeps its data. */
export function withoutSocketPath(line: string): string {
  return line.replace(/connection to server on socket "[^"]*"/, 'connection to server on its socket');
}

/**
 * The output of pg_restore without the statements in it: what a statement creates stays, its texts go, since they may be passwords. The error
 * of a statement with passwords is shown without the words of its texts.
 */
export function withoutStatements(stderr: string): readonly string[] {
  const kept: string[] = [];
  let statement: string[] | undefined;
  let errorAt = 0;
  const finish = () => {
    if (statement === undefined) return;
    const [first = ''] = statement;
    kept.push(`${COMMAND}${first.replace(/['"$(].*$/, (rest) => (rest.startsWith('"') ? beginningOf(rest) : '...'))}`);
    if (SECRET.test(first)) redact(kept, errorAt, textsOf(statement.join('\n')));
    statement = undefined;
  };
  for (const line of stderr.split('\n')) {
    if (OWN_LINE.test(line)) {
      finish();
      if (line.includes('error:')) errorAt = kept.length;
    }
    if (statement !== undefined) statement.push(line);
    else if (line.startsWith(COMMAND)) statement = [line.slice(COMMAND.length)];
    // A piece of the statement, with a mark below it.
    else if (!/^(LINE \d+: |\s*\^\s*$|QUERY: )/.test(line)) kept.push(withoutSocketPath(line));
  }
  finish();
  return kept;
}

/** Quoted names stay, up to the first text. */
function beginningOf(rest: string): string {
  return rest.replace(/['$(].*$/, '...');
}

/** The words of all texts of a statement that are long enough to be recognised. */
function textsOf(statement: string): readonly string[] {
  const texts = [...statement.matchAll(/'((?:[^']|'')*)'/g)].map((match) => (match[1] as string).replaceAll("''", "'"));
  return [...texts, ...texts.flatMap((text) => text.split(/[\s=:/@,]+/))]
    .filter((text) => text.length >= 3)
    .sort((a, b) => b.length - a.length);
}

function redact(lines: string[], from: number, secrets: readonly string[]): void {
  for (let index = from; index < lines.length - 1; index++)
    lines[index] = secrets.reduce((line, secret) => line.replaceAll(secret, '***'), lines[index] as string);
}
