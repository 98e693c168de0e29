import { expect } from 'vitest';
import type { Flux, TestProject } from '../harness/flux.ts';
import { psql } from '../harness/postgres.ts';
import type { Ended } from '../harness/process.ts';

/** What the parts of this suite share; bad-input.test.ts fills it before the first test. */
export const world = {} as { flux: Flux; shop: TestProject; other: TestProject };

export const isRoot = process.getuid?.() === 0;

/** An error has a sentence, a hint, nothing on stdout, no stack, and its own exit code. */
export function expectError(ended: Ended, exitCode: number, ...texts: (string | RegExp)[]): void {
  for (const text of texts) {
    if (typeof text === 'string') expect(ended.stderr).toContain(text);
    else expect(ended.stderr).toMatch(text);
  }
  expect(ended.stderr).toMatch(/^Error: /m);
  expect(ended.stderr).not.toMatch(/^ +at .+:\d+:\d+\)?$/m);
  expect(ended.stdout).toBe('');
  expect(ended.exitCode).toBe(exitCode);
}

/** Nothing that a refused command could have changed has changed. */
export async function expectUntouched(): Promise<void> {
  for (const project of [world.shop, world.other]) {
    const listed = await world.flux.flux('backup', 'list', ...project.flags, '--json');
    expect((JSON.parse(listed.stdout) as { backups: object[] }).backups).toEqual([]);
  }
  expect(await psql(world.shop.uri, 'select count(*) from t')).toBe('3\n');
}
