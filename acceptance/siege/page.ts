import type { SiegeChapter } from './record.ts';

/** What the page says of an attack whose test failed or did not run. */
const NOT_HELD = '**not held, or not tried**';

/** `docs/siege.md`, from the last recorded run. */
export function siegePage(chapters: readonly SiegeChapter[]): string {
  return `# Attacks, and what was seen

What one user, one crash or one file can do to the others, tried on the built server. Each line is a test in \`acceptance/siege/\`, which
fails when its bound does not hold; all of them run with \`npm run test:full\`, some for a shorter time. This page is written by
\`npm run test:siege\`; a line whose bound did not hold then, or that was not tried, says so. Times are those of a machine with two processors.

${chapters.map(chapterText).join('\n')}`;
}

function chapterText({ title, attacks }: SiegeChapter): string {
  const rows = attacks.map(({ attack, bound, seen = NOT_HELD }) => `| ${[attack, bound, seen].map(cellOf).join(' | ')} |`);
  return `## ${title}

| Attack | Bound | Seen |
| --- | --- | --- |
${rows.join('\n')}
`;
}

function cellOf(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
