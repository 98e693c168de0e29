import { readdirSync, readFileSync } from 'node:fs';

export interface Descendant {
  readonly pid: number;
  /** Name of the program, as the kernel has it. */
  readonly name: string;
  readonly command: string;
  /** Name of the program of the parent. */
  readonly parentName: string;
}

/**
 * Every process below another one. What a server starts in a sandbox, or with its secrets in the environment, has no path of ours on its
 * command line, so that it is found only this way.
 *
 * @param isOutside a process that is left out, with all that is below it
 */
export function descendantsOf(root: number, isOutside: (command: string) => boolean = () => false): readonly Descendant[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const parent = parentOf(name);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const below = (pid: number, parentName: string): Descendant[] =>
    (children.get(pid) ?? []).flatMap((child) => {
      const [name, command] = [textOf(`/proc/${child}/comm`).trim(), textOf(`/proc/${child}/cmdline`).replaceAll('\0', ' ')];
      return isOutside(command) ? [] : [{ pid: child, name, command, parentName }, ...below(child, name)];
    });
  return below(root, textOf(`/proc/${root}/comm`).trim());
}

/** Source: proc_pid_stat(5). The name before it may contain anything, also parentheses. */
function parentOf(pid: string): number | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  return stat === '' ? undefined : Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It has ended.
    return '';
  }
}
