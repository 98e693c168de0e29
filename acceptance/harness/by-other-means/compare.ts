import { rereadDefinitions } from './definitions.ts';
import { type Observation, rename } from './observe.ts';

/** One thing that is not the same in two places. */
export interface Finding {
  readonly aspect: string;
  readonly name: string;
  readonly there: string | null;
  readonly here: string | null;
}

/**
 * Everything that is not the same in two places, by means that are not Flux's. A definition counts when `pg_dump -s` words it
 * differently in both, and also differently from what Postgres makes of the first one's own dump.
 *
 * @param leftOut aspects that are not to be compared, each for a reason that the caller knows
 */
export async function compareObservations(there: Observation, here: Observation, leftOut: readonly string[] = []): Promise<Finding[]> {
  const aspects = new Set([...there.facts.keys(), ...here.facts.keys()]);
  const found = [...aspects]
    .filter((aspect) => !leftOut.includes(aspect))
    .flatMap((aspect) => compareFacts(aspect, there.facts.get(aspect) ?? new Map(), here.facts.get(aspect) ?? new Map()));
  if (!found.some(isRewordable)) return found;
  const reread = new Map(
    [...(await rereadDefinitions(there.place, there.kept))].map(([name, text]) => [rename(there.place, name), rename(there.place, text)]),
  );
  return found.filter((finding) => !isRewordable(finding) || reread.get(finding.name) !== finding.here);
}

/** Findings of which no text says anything: neither the name of the object nor, for a part of it, that of the whole. */
export function unnamed(findings: readonly Finding[], said: readonly string[]): Finding[] {
  const text = said.join('\n').replaceAll('"', '');
  return findings.filter((finding) => !wordsOf(finding).some((word) => isSaid(text, word)));
}

function isSaid(text: string, word: string): boolean {
  const literal = word.replaceAll('"', '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`(?<![\\w.])${literal}(?!\\w)`, 'i').test(text);
}

/** A finding as a line of a report. */
export function describeFinding({ aspect, name, there, here }: Finding): string {
  return `${aspect} ${name} · there: ${shorten(there)} · here: ${shorten(here)}`;
}

function isRewordable({ aspect, there, here }: Finding): boolean {
  return aspect === 'definition' && there !== null && here !== null;
}

function compareFacts(aspect: string, there: ReadonlyMap<string, string>, here: ReadonlyMap<string, string>): Finding[] {
  return [...new Set([...there.keys(), ...here.keys()])]
    .filter((name) => there.get(name) !== here.get(name))
    .map((name) => ({ aspect, name, there: there.get(name) ?? null, here: here.get(name) ?? null }));
}

/** Words of which one has to be said to have named a finding. */
function wordsOf({ aspect, name }: Finding): string[] {
  const object = name.replace(/^(type|schema|language|wrapper|server|large object|table|view|index|function|sequence) /, '');
  switch (aspect) {
    case 'database':
      return /^l(c_|ocale)/.test(name) ? [name, 'locale', 'collation'] : [name];
    case 'setting of the database':
    case 'setting of a role':
      return [name.split(': ').at(-1) ?? name];
    case 'membership':
      return [name.split(' in ')[0] ?? name];
    // A role that owned things is not there any more when they belong to somebody else.
    case 'role':
      return [name, 'belonged to another role'];
    case 'owner':
      return [object, 'belonged to another role'];
    case 'right':
    case 'right on the database':
    case 'right on a setting':
    case 'default right':
      return [object.split(': ')[0] ?? object];
    case 'definition':
      return [name.replace(/^[A-Z ]+ /, '')];
    case 'trigger':
      return [name.split(' ')[0] ?? name];
    default:
      return [object];
  }
}

function shorten(value: string | null): string {
  if (value === null) return 'nothing';
  return value.length > 300 ? `${value.slice(0, 300)}...` : value;
}
