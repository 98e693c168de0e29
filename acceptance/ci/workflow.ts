import { readFileSync } from 'node:fs';

/** A step of a job, as GitHub Actions reads it. */
export interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly if?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly with?: Readonly<Record<string, string>>;
}

/** A job of a workflow. */
export interface Job {
  readonly env?: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}

type Yaml = string | Yaml[] | { [key: string]: Yaml };

/** Reads a job of a workflow file. */
export function readJob(path: string, name: string): Job {
  const workflow = parseYaml(readFileSync(path, 'utf8')) as { jobs?: Record<string, Job> };
  const job = workflow.jobs?.[name];
  if (job === undefined) throw new Error(`${path} has no job ${name}`);
  return job;
}

/** Puts values into the expressions of a text, `${{ secrets.X }}`; one that nobody has given is an error. */
export function fillExpressions(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{\{\s*(.*?)\s*\}\}/g, (_, expression: string) => {
    const value = values[expression];
    if (value === undefined) throw new Error(`nothing is given for ${expression}`);
    return value;
  });
}

interface Line {
  readonly indent: number;
  readonly text: string;
  readonly number: number;
}

/**
 * Reads the part of YAML that our workflow is written in: maps, lists of maps, plain words and `|` blocks. Anything else is an
 * error, so that no step is ever read wrongly.
 */
function parseYaml(source: string): Yaml {
  const lines: Line[] = source.split('\n').map((text, index) => ({ indent: text.search(/\S|$/), text: text.trim(), number: index + 1 }));
  let at = 0;
  const skip = () => {
    while (at < lines.length && /^(#|$)/.test(lines[at]?.text ?? '')) at += 1;
    return lines[at];
  };

  const readBlock = (outer: number): string => {
    const first = lines.slice(at).find(({ text }) => text !== '');
    const indent = first?.indent ?? 0;
    if (indent <= outer) throw new Error(`line ${at + 1}: the block is empty`);
    const taken: string[] = [];
    for (; at < lines.length && (lines[at]?.text === '' || (lines[at]?.indent ?? 0) >= indent); at += 1)
      taken.push(source.split('\n')[at]?.slice(indent) ?? '');
    return `${taken.join('\n').trimEnd()}\n`;
  };

  const readValue = (line: Line, rest: string): Yaml => {
    if (rest === '|') return readBlock(line.indent);
    if (rest !== '') {
      if (/^["'>&*!{]|\s#/.test(rest)) throw new Error(`line ${line.number}: this reader does not know ${rest}`);
      return rest;
    }
    const next = skip();
    if (next === undefined || next.indent <= line.indent) return '';
    return readNode(next.indent);
  };

  const readMap = (indent: number): Yaml => {
    const map: Record<string, Yaml> = {};
    for (let line = skip(); line !== undefined && line.indent === indent && !line.text.startsWith('- '); line = skip()) {
      const [, key = '', rest = ''] = /^([\w-]+):(?: (.*))?$/.exec(line.text) ?? [];
      if (key === '' || key in map) throw new Error(`line ${line.number}: ${line.text} is no new key`);
      at += 1;
      map[key] = readValue(line, rest);
    }
    return map;
  };

  const readNode = (indent: number): Yaml => {
    if (!skip()?.text.startsWith('- ')) return readMap(indent);
    const list: Yaml[] = [];
    for (let line = skip(); line?.indent === indent && line.text.startsWith('- '); line = skip()) {
      // The dash is white space to what stands behind it.
      lines[at] = { ...line, indent: indent + 2, text: line.text.slice(2) };
      list.push(readMap(indent + 2));
    }
    return list;
  };

  const root = readNode(0);
  const left = skip();
  if (left !== undefined) throw new Error(`line ${left.number}: ${left.text} stands where nothing is expected`);
  return root;
}
