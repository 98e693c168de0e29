import { EventEmitter, once } from 'node:events';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { answerFor, surviveStrayErrors } from './stray-errors.ts';

function watch() {
  const process = new EventEmitter();
  const lines: string[] = [];
  surviveStrayErrors(pino({ level: 'info' }, { write: (line: string) => void lines.push(line) }), process);
  return { process, lines };
}

describe('surviveStrayErrors', () => {
  it('ends what an error belongs to, however late it comes, and logs it', async () => {
    const { process, lines } = watch();
    const ended: string[] = [];
    const later = new EventEmitter();
    const work = (name: string) =>
      answerFor(
        (error) => ended.push(`${name}: ${error.message}`),
        async () => {
          await once(later, 'go');
          setTimeout(() => process.emit('uncaughtException', new Error(`of ${name}`)), 1);
        },
      );
    const both = Promise.all([work('first'), work('second')]);
    later.emit('go');
    await both;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(ended.sort()).toEqual(['first: of first', 'second: of second']);
    expect(lines.filter((line) => line.includes('an error was not handled'))).toHaveLength(2);
  });

  it('goes on when it belongs to nothing, is no error, or cannot be ended', () => {
    const { process, lines } = watch();
    process.emit('unhandledRejection', 'a text');
    const failing = () => {
      throw new Error('too late');
    };
    answerFor(failing, () => process.emit('uncaughtException', new Error('x')));
    expect(lines.join('')).toContain('a text');
    expect(lines.join('')).toContain('too late');
  });

  it('does not fill the log', () => {
    const { process, lines } = watch();
    for (let count = 0; count < 1000; count++) process.emit('uncaughtException', new Error('again'));
    expect(lines).toHaveLength(20);
    expect(lines.at(-1)).toContain('further ones of this minute are not logged');
  });
});
