import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './flux.ts';

/** SQL files to push, in order. */
export interface Sample {
  readonly name: string;
  readonly files: ReadonlyMap<string, string>;
}

/** The Chinook database when it is next to the checkout, otherwise the example of the repository. */
export function findSample(): Sample {
  const chinook = join(ROOT, '../shared/data/chinook.sql');
  if (existsSync(chinook)) return { name: 'Chinook', files: new Map([['001_chinook.sql', readFileSync(chinook, 'utf8')]]) };
  const example = join(ROOT, 'examples/bloom-atelier/migrations');
  const names = readdirSync(example).sort();
  return { name: 'bloom-atelier', files: new Map(names.map((name) => [name, readFileSync(join(example, name), 'utf8')])) };
}
