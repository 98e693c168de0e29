import { displayLines } from '@flux/contract/display';
import { FluxError } from '@flux/contract/errors';
import type { AskContext } from './context.ts';

/** Reads all of standard input as text. */
export async function readStdin(stdin: NodeJS.ReadStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * Asks for something secret, without showing it.
 *
 * @param instead what to do when there is no terminal
 * @throws FluxError `usage` where there is no terminal or --no-input was given; `interrupted_by_user` for Ctrl-C or the end of input
 */
export async function askSecret(context: AskContext, question: string, instead: string): Promise<string> {
  requireTerminal(context, question, instead);
  const { password, isCancel } = await import('@clack/prompts');
  const answer = await Promise.race([password({ message: displayLines(question), output: process.stderr }), endOfInput(instead)]);
  if (isCancel(answer)) throw new FluxError('interrupted_by_user', 'Nothing was entered.', { hint: instead });
  return answer.trim();
}

/** A prompt whose input ends never settles, and Node would exit with code 0: the end of input must be an error. */
function endOfInput(instead: string): Promise<never> {
  return new Promise((_, reject) => {
    process.once('beforeExit', () => {
      // The prompt hid the cursor.
      process.stderr.write('\u001b[?25h');
      reject(new FluxError('usage', 'The input ended before anything was entered.', { hint: instead }));
    });
  });
}

/**
 * Asks for a line of text.
 *
 * @param instead what to do when there is no terminal
 * @throws FluxError as `askSecret`
 */
export async function askText(context: AskContext, question: string, instead: string): Promise<string> {
  requireTerminal(context, 'A confirmation', instead);
  const { text, isCancel } = await import('@clack/prompts');
  const answer = await Promise.race([text({ message: displayLines(question), output: process.stderr }), endOfInput(instead)]);
  if (isCancel(answer)) throw new FluxError('interrupted_by_user', 'Nothing was entered.', { hint: instead });
  return (answer ?? '').trim();
}

/** Whether somebody is there to be asked: a terminal, and no --no-input. */
export function canAsk(context: AskContext): boolean {
  return context.mayAsk && context.stdin.isTTY === true && process.stderr.isTTY;
}

function requireTerminal(context: AskContext, what: string, instead: string): void {
  if (canAsk(context)) return;
  const why = context.mayAsk ? 'there is no terminal to ask on' : '--no-input was given';
  throw new FluxError('usage', `${what} is needed, and ${why}.`, { hint: instead });
}
