import { displaySafe } from '@flux/contract/display';
import type { LeftOut } from './manifest.ts';
import { withoutStatements } from './without-statements.ts';

/** The beginning of a message of a program of Postgres, or of the server through it; what follows belongs to it. */
const BEGINS = /^(?:(?:pg_dump|pg_restore): )?(warning|WARNING|error|ERROR|NOTICE): +/;
const CONTINUES = /^(?:(?:pg_dump|pg_restore): )?(detail|DETAIL|hint|HINT): +/;

/** What a program said on stderr although it succeeded: each message once, as one line that is safe to show, without statements. */
export function warningsOf(lines: readonly string[]): readonly string[] {
  const messages: string[] = [];
  for (const line of withoutStatements(lines.join('\n'))) {
    const text = displaySafe(line.trim().replaceAll('\t', ' '));
    if (text === '') continue;
    if (BEGINS.test(text) || messages.length === 0) messages.push(text.replace(BEGINS, ''));
    else messages.push(`${messages.pop()} ${text.replace(CONTINUES, '')}`);
  }
  return [...new Set(messages)];
}

/** Warnings of pg_dump, to be named with what a restore does not bring back. */
export function leftOutByWarnings(warnings: readonly string[]): readonly LeftOut[] {
  return warnings.map((reason) => ({ kind: 'warning', name: 'pg_dump', reason }));
}
