import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { siegeGaps } from '../acceptance/siege/gaps.ts';
import { siegePage } from '../acceptance/siege/page.ts';
import type { SiegeChapter } from '../acceptance/siege/record.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'siege-page-'));
  writeFileSync(
    join(folder, 'walls.test.ts'),
    `const attack = siegeChapter('Walls');
     attack('It knocks', 'nobody opens', async () => 'closed');
     for (const kind of KINDS) attack(\`It knocks \${TIMES} times (\${kind})\`, kind === 'x' ? 'a' : 'b', async () => 'closed', 5000);`,
  );
});
afterEach(() => rmSync(folder, { recursive: true }));

const RECORDED: SiegeChapter = {
  title: 'Walls',
  attacks: [
    { attack: 'It knocks', bound: 'nobody opens', seen: 'closed' },
    { attack: 'It knocks 3 times (x)', bound: 'a', seen: 'closed' },
    { attack: 'It knocks 3 times (y)', bound: 'b', seen: 'closed' },
  ],
};

it('has nothing to say of a page that has what the tests declare, also with computed words', () => {
  expect(siegeGaps(folder, [RECORDED])).toEqual([]);
});

it('names an attack that did not hold, and the page says so', () => {
  const failed = { ...RECORDED, attacks: RECORDED.attacks.map(({ seen: _, ...rest }) => rest) };
  expect(siegeGaps(folder, [failed])[0]).toBe('"It knocks" of "Walls" did not hold, or was not tried.');
  expect(siegePage([failed])).toContain('| It knocks | nobody opens | **not held, or not tried** |');
});

it('names an attack that is missing, and one that has other words by now', () => {
  const [first, ...rest] = RECORDED.attacks;
  expect(siegeGaps(folder, [{ ...RECORDED, attacks: rest }])).toEqual(['walls.test.ts has "It knocks: nobody opens"; the page does not.']);
  const reworded = { ...RECORDED, attacks: [{ ...first, attack: 'It rings', bound: 'nobody opens', seen: 'closed' }, ...rest] };
  expect(siegeGaps(folder, [reworded])).toContain('The page has "It rings: nobody opens"; walls.test.ts does not, with these words.');
});

it('names a chapter that was never recorded, and one that no test has', () => {
  expect(siegeGaps(folder, [{ ...RECORDED, title: 'Moats' }])).toEqual([
    'The chapter "Walls" of walls.test.ts was never recorded.',
    'No test has the chapter "Moats".',
  ]);
});
