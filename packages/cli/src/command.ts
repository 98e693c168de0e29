import type { Context } from './context.ts';

/** Exit code of a command: 0, or that of a verdict. Errors are thrown, not returned. */
export type ExitCode = number;

/** An option as commander writes it: `-o, --output <path>`. */
export interface OptionDefinition {
  readonly flags: string;
  readonly summary: string;
  readonly choices?: readonly string[];
  /** Given several times, it yields a list. */
  readonly repeatable?: boolean;
  readonly default?: string;
}

/** One command: its arguments and options, its help, and its handler. */
export interface CommandDefinition {
  /** As commander writes them: `<name>` is required, `[slug]` is optional. */
  readonly arguments?: readonly { readonly name: string; readonly summary: string }[];
  readonly options?: readonly OptionDefinition[];
  /** Whole command lines, shown first in the help. */
  readonly examples: readonly string[];
  /** Text after the options: what to know before using it. */
  readonly about?: string;
  run(context: Context, options: Record<string, unknown>, args: readonly (string | undefined)[]): Promise<ExitCode>;
}

interface TypedDefinition<Options> extends Omit<CommandDefinition, 'run'> {
  run(context: Context, options: Options, args: readonly (string | undefined)[]): Promise<ExitCode>;
}

/** Defines a command whose options have the given names and types; commander fills them from `options`. */
export function defineCommand<Options extends Record<string, unknown>>(definition: TypedDefinition<Options>): CommandDefinition {
  return definition as CommandDefinition;
}

/** The name of the project as an argument, as every project command takes it that has no other argument. */
export const PROJECT_ARGUMENT = [{ name: '[slug]', summary: 'name of the project (default: flux.json)' }] as const;

/** `-p` and `--hash`, as every project command has them. */
export const PROJECT_OPTIONS: readonly OptionDefinition[] = [
  { flags: '-p, --project <slug>', summary: 'name of the project (default: flux.json)' },
  { flags: '--hash <7hex>', summary: 'hash of the project; checked against its name' },
];

/** What `PROJECT_OPTIONS` yield. */
export type ProjectOptions = { project?: string; hash?: string };

/** `--latest` and `--id`, as every command about one backup has them. */
export const BACKUP_OPTIONS: readonly OptionDefinition[] = [
  { flags: '--latest', summary: 'the newest backup; the control plane decides which that is' },
  { flags: '--id <backupId>', summary: 'id of a backup, or its first digits; see `flux backup list`' },
];

/** What `BACKUP_OPTIONS` yield. */
export type BackupOptions = { latest?: boolean | undefined; id?: string | undefined };
