import { FluxError } from '@flux/contract/errors';
import { quoteIdentifier } from '../../sql/quote.ts';

/** Between double quotes, what is special in a regular expression is not. */
const SPECIAL = /[|*+?()[\]{}.^$\\]/;

/**
 * Turns a pattern of pg_dump into regular expressions of Postgres, one for each part between dots: letters outside of double quotes are lower
 * case, `*` is any characters, `?` is one, and the rest is as in a regular expression. Source: the manual, psql, Patterns.
 *
 * @throws FluxError `invalid_request` when a quote is not closed
 */
export function patternParts(pattern: string): readonly string[] {
  const parts = [''];
  const add = (text: string) => parts.push(`${parts.pop()}${text}`);
  let isQuoted = false;
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern.charAt(at);
    if (character === '"' && isQuoted && pattern.charAt(at + 1) === '"') {
      add('"');
      at++;
    } else if (character === '"') isQuoted = !isQuoted;
    else if (isQuoted) add(SPECIAL.test(character) ? `\\${character}` : character);
    else if (character === '.') parts.push('');
    else add(OUTSIDE_QUOTES[character] ?? character.toLowerCase());
  }
  if (isQuoted)
    throw new FluxError('invalid_request', `The pattern ${pattern} has a double quote that is not closed.`, {
      hint: 'Write a name with capitals as "Name", and a quote in it twice.',
    });
  return parts.map((part) => `^(${part})$`);
}

/** The pattern that matches only this name, as it is written in a shell. */
export function patternOf(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `'${quoteIdentifier(name)}'`;
}

const OUTSIDE_QUOTES: Readonly<Record<string, string>> = { '*': '.*', '?': '.', $: '\\$' };
