import type { Place } from './tree.ts';

/** The supported shells. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
/** A supported shell. */
export type Shell = (typeof SHELLS)[number];

/** Writes the completion script of a shell. It is static text, so that completing never starts `flux`. */
export function renderCompletion(shell: Shell, places: readonly Place[]): string {
  if (shell === 'bash') return renderBash(places);
  return shell === 'zsh' ? renderZsh(places) : renderFish(places);
}

function candidates(place: Place): string {
  return [...place.commands.map(({ name }) => name), ...place.options.map(({ name }) => name)].join(' ');
}

function valueOptions(places: readonly Place[]): string {
  const names = places.flatMap(({ options }) => options.filter(({ takesValue }) => takesValue).map(({ name }) => name));
  return [...new Set([...names, '-p', '-o'])].join('|');
}

function groups(places: readonly Place[]): string {
  return places
    .filter(({ words, commands }) => words !== '' && commands.length > 0)
    .map(({ words }) => words)
    .join('|');
}

function cases(places: readonly Place[]): string {
  return places.map((place) => `    '${place.words}') candidates='${candidates(place)}' ;;`).join('\n');
}

function renderBash(places: readonly Place[]): string {
  return `# bash completion for flux
_flux() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words='' candidates='' word index
  case "$previous" in
    ${valueOptions(places)}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    case "$word" in -*) continue ;; esac
    case "$words" in
      '') words="$word" ;;
      ${groups(places)}) words="$words $word"; break ;;
      *) break ;;
    esac
  done
  case "$words" in
${cases(places)}
  esac
  COMPREPLY=($(compgen -W "$candidates" -- "$current"))
}
complete -o default -F _flux flux
`;
}

function renderZsh(places: readonly Place[]): string {
  return `#compdef flux
# zsh completion for flux
_flux() {
  local line='' candidates='' word index
  case "\${words[CURRENT-1]}" in
    ${valueOptions(places)}) _files; return ;;
  esac
  for ((index = 2; index < CURRENT; index++)); do
    word="\${words[index]}"
    case "$word" in -*) continue ;; esac
    case "$line" in
      '') line="$word" ;;
      ${groups(places)}) line="$line $word"; break ;;
      *) break ;;
    esac
  done
  case "$line" in
${cases(places)}
  esac
  compadd -- \${(s: :)candidates}
  _files
}
if [ "$funcstack[1]" = "_flux" ]; then _flux "$@"; else compdef _flux flux; fi
`;
}

function renderFish(places: readonly Place[]): string {
  const lines = places.flatMap((place) => {
    const [first, second] = place.words.split(' ');
    const children = place.commands.map(({ name }) => name).join(' ');
    const within =
      second === undefined
        ? `__fish_seen_subcommand_from ${first}`
        : `__fish_seen_subcommand_from ${first}; and __fish_seen_subcommand_from ${second}`;
    const before = place.words === '' ? '__fish_use_subcommand' : `${within}; and not __fish_seen_subcommand_from ${children}`;
    return [
      ...place.commands.map(({ name, summary }) => `complete -c flux -f -n '${before}' -a ${name} -d ${quote(summary)}`),
      ...place.options.map(
        ({ name, summary, takesValue }) =>
          `complete -c flux -n '${place.words === '' ? '__fish_use_subcommand' : within}' -l ${name.replace(/^--/, '')}${takesValue ? ' -r' : ''} -d ${quote(summary)}`,
      ),
    ];
  });
  return `# fish completion for flux\n${lines.join('\n')}\n`;
}

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, (sign) => `\\${sign}`)}'`;
}
