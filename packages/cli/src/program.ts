import { Command, Option } from 'commander';
import type { CommandDefinition, ExitCode } from './command.ts';
import { ALIASES, COMMANDS, type CommandEntry, GROUPS } from './commands.ts';
import { VERSION } from './version.ts';

/** Options that every command takes, in any place. */
export type GlobalOptions = { json?: boolean; input: boolean; color: boolean; apiBase?: string };

/** Runs a command that was found and parsed. */
export type Dispatch = (
  command: CommandDefinition,
  globals: GlobalOptions,
  options: Record<string, unknown>,
  args: readonly (string | undefined)[],
) => Promise<ExitCode>;

const EXAMPLES = [
  'flux login',
  'flux create bloom-atelier',
  'flux backup create -p bloom-atelier --verify',
  'flux backup list -p bloom-atelier | head -3',
];

/**
 * The tree of commands. A command's options and handler are loaded when it is called (or all of them, for completion), so that
 * a command does not load the others.
 */
export function buildProgram(dispatch: Dispatch): Command {
  const program = new Command('flux');
  const prepare = (command: Command): Command => {
    const alias = ALIASES[command.name()];
    if (alias !== undefined) command.alias(alias);
    return command.exitOverride().configureOutput({ writeErr: () => {}, outputError: () => {} });
  };
  const loaders = new Map<Command, () => Promise<void>>();
  const load = (_: Command, command: Command): Promise<void> => loaders.get(command)?.() ?? Promise.resolve();

  prepare(program)
    .description('Postgres projects whose backups are proven by restoring them.')
    .option('--json', 'one JSON document on stdout')
    .option('--no-input', 'never prompt')
    .option('--no-color', 'no colours (NO_COLOR does the same)')
    .option('--api-base <url>', 'address of the control plane (default: FLUX_API_BASE, flux login, http://127.0.0.1:4400/api)')
    .version(VERSION, '-V, --version', 'print the version')
    .configureHelp({ showGlobalOptions: true })
    .helpCommand('help [command...]', 'Show the help of a command')
    .addHelpText('before', renderExamples(EXAMPLES))
    .hook('preSubcommand', load);

  const groups = new Map<string, Command>();
  for (const [name, summary] of Object.entries(GROUPS)) {
    const group = prepare(program.command(name)).description(summary).helpCommand(false).hook('preSubcommand', load);
    groups.set(name, group.configureHelp({ showGlobalOptions: true }));
  }
  for (const entry of COMMANDS) {
    const [first, second] = entry.words;
    const parent = second === undefined ? program : groups.get(first);
    if (parent === undefined) throw new Error(`commands.ts: there is no group ${first}`);
    const command = prepare(parent.command(second ?? first))
      .description(entry.summary)
      .configureHelp({ showGlobalOptions: true });
    loaders.set(
      command,
      once(() => configure(command, entry, dispatch)),
    );
  }
  return program;
}

/** Loads the options and arguments of every command into the tree. */
export async function buildWholeProgram(): Promise<Command> {
  const program = buildProgram(() => Promise.resolve(0));
  for (const entry of COMMANDS) await configure(commandOf(program, entry), entry, () => Promise.resolve(0));
  return program;
}

function commandOf(program: Command, entry: CommandEntry): Command {
  let command = program;
  for (const word of entry.words) command = command.commands.find((child) => child.name() === word) ?? command;
  return command;
}

async function configure(command: Command, entry: CommandEntry, dispatch: Dispatch): Promise<void> {
  const { command: definition } = await entry.load();
  for (const argument of definition.arguments ?? []) command.argument(argument.name, argument.summary);
  for (const { flags, summary, choices, repeatable, default: value } of definition.options ?? []) {
    const option = new Option(flags, summary);
    if (choices !== undefined) option.choices(choices);
    if (repeatable === true) option.argParser((given: string, before: readonly string[] = []) => [...before, given]);
    if (value !== undefined) option.default(value);
    command.addOption(option);
  }
  command.addHelpText('before', renderExamples(definition.examples));
  if (definition.about !== undefined) command.addHelpText('after', `\n${definition.about}`);
  command.action(async () => {
    const all = command.optsWithGlobals<GlobalOptions & Record<string, unknown>>();
    await dispatch(definition, all, command.opts(), command.processedArgs as (string | undefined)[]);
  });
}

/** The words on a command line that call a command, whatever options stand between them: `['backup', 'list']`. */
export function calledWords(program: Command, argv: readonly string[]): string[] {
  const words: string[] = [];
  let at = program;
  for (const word of argv) {
    const child = at.commands.find((command) => command.name() === word || command.aliases().includes(word));
    if (child === undefined) continue;
    words.push(child.name());
    at = child;
    if (at.commands.length === 0) break;
  }
  return words;
}

/** The group that a command line names without one of its commands; undefined when it is not about a group. */
export function groupOf(program: Command, argv: readonly string[]): Command | undefined {
  const [word, ...rest] = calledWords(program, argv);
  const group = program.commands.find((command) => command.name() === word);
  return rest.length === 0 && (group?.commands.length ?? 0) > 0 ? group : undefined;
}

function renderExamples(lines: readonly string[]): string {
  return `Examples:\n${lines.map((line) => `  $ ${line}`).join('\n')}\n`;
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  return () => {
    running ??= run();
    return running;
  };
}
