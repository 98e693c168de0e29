import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compareObservations, describeFinding } from '../harness/by-other-means/compare.ts';
import { observe } from '../harness/by-other-means/observe.ts';
import { type Flux, startFlux } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import { placeOf } from './world.ts';

/** The command of the README that restores a dedicated project by hand, into itself. */
const COMMAND = /^pg_restore --clean[\s\S]*?\.\/bloom\.dump$/m.exec(
  readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8'),
)?.[0] as string;

let flux: Flux;
beforeAll(async () => {
  flux = await startFlux();
});
afterAll(() => flux?.[Symbol.asyncDispose]());

it('restores a project into itself by the command of the README, with grants, and with partitions as the README says', async () => {
  const project = await flux.createProject('bloom-atelier', 'v1_dedicated');
  const names = project.flags.join(' ');
  for (const input of ['partitions-by-hand', 'readme-restore-by-hand'])
    await flux.push(project, readFileSync(join(import.meta.dirname, 'inputs', `${input}.sql`), 'utf8'));
  const place = await placeOf(flux, project, 'v1_dedicated');
  const before = await observe(place);
  expect((await flux.shell(`flux backup create ${names} && flux backup download ${names} --latest -o ./bloom.dump`)).exitCode).toBe(0);
  const command = COMMAND.replace('0a1b2c3', project.hash);
  const lose = 'delete from m; drop table notes; drop function hi()';

  await psql(project.uri, lose);
  const first = await flux.shell(command);
  const afterFirst = await observe(place);
  await psql(project.uri, `${lose}; drop table m`);
  const second = await flux.shell(command);
  const afterSecond = await observe(place);

  expect(first.exitCode).toBe(1);
  expect(first.stderr).toContain('cannot drop inherited constraint');
  expect((await compareObservations(before, afterFirst)).map(describeFinding)).toEqual([]);
  expect(second).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  expect((await compareObservations(before, afterSecond)).map(describeFinding)).toEqual([]);
  for (const { kept } of [before, afterFirst, afterSecond]) kept.remove();
});
