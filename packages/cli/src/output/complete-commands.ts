/** What the commands that a run suggests need to reach the same project and the same control plane. */
export interface SuggestionFlags {
  /** `--api-base` of this run; null when a plain `flux` in the same shell reaches the same control plane. */
  readonly apiBase: string | null;
  /** `--project <slug> --hash <hash>`; null when flux.json says so, or when the run is not about a project. */
  readonly project: string | null;
}

/** One command: up to the end of the line, of the code span, of `$(...)`, or the next command of a shell line. */
const COMMAND = /\bflux (?:(?! >)[^`|&;)\n])*[^`|&;)\s.]/g;
const OF_A_PROJECT = /^flux (?:backup|push|migrate|nuke|doctor|migrations|project)\b/;
const NAMES_A_PROJECT = / (?:-p|--project|--hash)\b/;

/** Adds to every `flux` command in a text what it needs to be right where it is pasted. */
export function completeCommands(text: string, { apiBase, project }: SuggestionFlags): string {
  return text.replace(COMMAND, (command) => {
    const needsProject = project !== null && OF_A_PROJECT.test(command) && !NAMES_A_PROJECT.test(command);
    const needsAddress = apiBase !== null && !command.includes('--api-base');
    return `${command}${needsProject ? ` ${project}` : ''}${needsAddress ? ` --api-base ${quote(apiBase)}` : ''}`;
  });
}

/** Completes only what stands in code spans: the rest of a sentence may speak of flux without naming a command. */
export function completeCodeSpans(text: string, flags: SuggestionFlags): string {
  return text.replace(/`[^`]+`/g, (span) => completeCommands(span, flags));
}

function quote(word: string): string {
  return /^[\w:/.@-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
