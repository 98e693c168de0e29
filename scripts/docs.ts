// Writes the pages that are generated from the code, or with --check lists the stale ones.
import { readFileSync, writeFileSync } from 'node:fs';
import { powerPage } from '../acceptance/power/page.ts';
import { readPowerRun } from '../acceptance/power/record.ts';
import { sabotagePage } from '../acceptance/sabotage/page.ts';
import { readRecord } from '../acceptance/sabotage/record.ts';
import { siegeGaps } from '../acceptance/siege/gaps.ts';
import { siegePage } from '../acceptance/siege/page.ts';
import { readSiege } from '../acceptance/siege/record.ts';
import { ERROR_KINDS } from '../packages/contract/src/errors.ts';

const PAGES: Readonly<Record<string, () => string>> = {
  'docs/errors.md': errorsPage,
  'docs/power.md': () => powerPage(readPowerRun()),
  'docs/sabotage.md': () => sabotagePage(readRecord()),
  'docs/siege.md': () => siegePage(readSiege()),
};

function errorsPage(): string {
  const rows = Object.entries(ERROR_KINDS).map(
    ([code, kind]) => `| \`${code}\` | ${kind.status} | ${kind.exitCode} | ${kind.retry === 'later' ? 'yes' : 'no'} | ${kind.meaning} |`,
  );
  return `# Errors

Every error of the API is \`application/problem+json\` with one of these codes; \`flux\` ends with the exit code beside it. An error
means that Flux could not answer. A verdict (this backup is broken) and a refusal of the gate are answers, and have codes here
only because they cross the wire. Made from \`packages/contract/src/errors.ts\` by \`npm run docs\`.

| Code | HTTP status | Exit code | May succeed later | Meaning |
| --- | --- | --- | --- | --- |
${rows.join('\n')}

Exit codes of \`flux\`: 0 done; 1 error; 2 usage; 4 not found; 5 not authenticated or not allowed; 6 the gate refused; 7 verification
failed; 8 busy (another operation of this project); 9 lost contact or still running; 10 inconclusive; 130 interrupted.
`;
}

const isCheck = process.argv.includes('--check');
for (const [path, make] of Object.entries(PAGES)) {
  const wanted = make();
  if (!isCheck) writeFileSync(path, wanted);
  else if (readFileSync(path, { encoding: 'utf8', flag: 'a+' }) !== wanted) {
    process.stderr.write(`${path} is stale: run \`npm run docs\`.\n`);
    process.exitCode = 1;
  }
}
if (isCheck) {
  const gaps = siegeGaps('acceptance/siege', readSiege());
  if (gaps.length > 0) {
    process.stderr.write(`docs/siege.md is not of these tests: run \`npm run test:siege\`.\n${gaps.map((gap) => `  ${gap}\n`).join('')}`);
    process.exitCode = 1;
  }
}
