// Refuses files with more than 350 lines: split them by phase. Migrations and generated files are exempt.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const MOST_LINES = 350;

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.tsx', '*.mjs'], {
  encoding: 'utf8',
}).split('\n');
const tooLong = files
  .filter((file) => file !== '' && !/(^|\/)(migrations|generated)\//.test(file))
  .map((file) => ({ file, lines: readFileSync(file, 'utf8').split('\n').length - 1 }))
  .filter(({ lines }) => lines > MOST_LINES);

for (const { file, lines } of tooLong) process.stderr.write(`${file} has ${lines} lines; split it by phase (at most ${MOST_LINES}).\n`);
process.exitCode = tooLong.length === 0 ? 0 : 1;
