import { expect, it } from 'vitest';
import { parseStat, treeOf } from './process-table.ts';

const rest = (state: string, parent: number, start: number) => `${state} ${parent} ${'0 '.repeat(17)}${start} 0 0`;

it('reads a process whose name tries to look like the fields after it', () => {
  expect(parseStat(7, `7 (evil) Z 1 ) ${rest('S', 3, 99)}`)).toEqual({
    pid: 7,
    parentPid: 3,
    name: 'evil) Z 1 ',
    startTicks: '99',
    state: 'S',
  });
});

it('counts a process that only waits to be collected as gone', () => {
  expect(parseStat(7, `7 (sh) ${rest('Z', 3, 99)}`)).toBeUndefined();
});

it('finds what a process started, and what that started, and nothing else', () => {
  const entry = (pid: number, parentPid: number) => ({ pid, parentPid, name: 'sh', startTicks: '1', state: 'S' });
  const all = [entry(1, 0), entry(4, 3), entry(2, 1), entry(3, 2), entry(9, 1)];
  expect(treeOf(all, [2]).map((process) => process.pid)).toEqual([2, 3, 4]);
});
