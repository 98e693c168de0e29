import type { Command } from 'commander';

/** A position in a command line, and what may follow there. */
export interface Place {
  /** The words so far, without `flux`: `backup create`. */
  readonly words: string;
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly { readonly name: string; readonly summary: string; readonly takesValue: boolean }[];
}

/** Every position of a program, its root first. */
export function describeTree(program: Command): Place[] {
  const globals = program.options;
  const walk = (command: Command, words: string): Place[] => {
    const options = command === program ? globals : [...command.options, ...globals];
    const here: Place = {
      words,
      commands: command.commands.map((child) => ({ name: child.name(), summary: child.description() })),
      options: [
        ...options.map((option) => ({ name: option.long ?? option.short ?? '', summary: option.description, takesValue: option.required })),
        { name: '--help', summary: 'show the help', takesValue: false },
      ],
    };
    return [here, ...command.commands.flatMap((child) => walk(child, words === '' ? child.name() : `${words} ${child.name()}`))];
  };
  return walk(program, '');
}
