import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import { createOutput, type Output } from './output.ts';
import { formatColumns } from './table.ts';

const RESTORABLE = 'Restorable';

/** Everything that a run writes to a colour terminal: its answer, and the rest. */
function onTerminal(write: (output: Output) => void): { readonly stdout: string; readonly stderr: string } {
  const stdout = Object.assign(new PassThrough(), { isTTY: true });
  const stderr = Object.assign(new PassThrough(), { isTTY: true });
  write(createOutput({ stdout, stderr, json: false, color: true, apiBase: null }));
  return { stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') };
}

it.each([0, 2, 7, 8, 28, 30, 32, 39, 47, 97])('shows a foreign code %i on a colour terminal as text', (code) => {
  const text = `x\u001b[${code}my`;

  const { stdout, stderr } = onTerminal((output) => {
    output.answer([text], null);
    output.line(text);
    output.note(text);
    output.warn(text);
    output.error(`Error: ${text}`);
  });

  const shown = `x\\u001b[${code}my\n`;
  expect(stdout).toBe(shown + shown);
  expect(stderr).toBe(`${shown}\u001b[33mWarning:\u001b[39m ${shown}\u001b[31mError:\u001b[39m ${shown}`);
});

it('shows foreign codes in a text that it colours itself as text', () => {
  const { stdout } = onTerminal((output) => output.line(output.colors.green(`a\u001b[39m\u001b[8mb`)));

  expect(stdout).toBe('\u001b[32ma\\u001b[39m\\u001b[8mb\u001b[39m\n');
});

it('passes on only its own colours, which another output cannot make', () => {
  const other = onTerminal((output) => output.line(output.colors.red(RESTORABLE))).stdout;
  let foreign = '';
  onTerminal((output) => {
    foreign = output.colors.green(RESTORABLE);
  });

  expect(other).toBe(`\u001b[31m${RESTORABLE}\u001b[39m\n`);
  expect(onTerminal((output) => output.line(foreign)).stdout).not.toContain('\u001b');
});

it('lines up columns with coloured cells', () => {
  const { stdout } = onTerminal((output) =>
    output.answer(
      formatColumns([
        [output.colors.green('ok'), 'first'],
        ['longer', 'second'],
      ]),
      null,
    ),
  );

  expect(stripVTControlCharacters(stdout)).toBe('ok      first\nlonger  second\n');
});

it('writes no code of a terminal without colours', () => {
  const stdout = Object.assign(new PassThrough(), { isTTY: true });
  const output = createOutput({ stdout, stderr: new PassThrough(), json: false, color: false, apiBase: null });

  output.line(`${output.colors.green(RESTORABLE)} \u001b[8mx`);

  expect(String(stdout.read())).toBe('Restorable \\u001b[8mx\n');
});
