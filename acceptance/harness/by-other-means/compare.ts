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
  const text = said.join('\n').replaceAll('"', '').toLowerCase();
  return findings.filter(({ aspect, name }) => !wordsOf(aspect, name).some((word) => text.includes(word.toLowerCase())));
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
function wordsOf(aspect: string, name: string): string[] {
  if (aspect === 'database') return name.startsWith('l') && name.includes('c') ? [name, 'locale', 'collation'] : [name];
  if (aspect.startsWith('setting')) return [name.split(': ').at(-1) ?? name];
  if (aspect === 'role' || aspect === 'membership') return [name.split(' in ')[0] ?? name];
  if (aspect.includes('right'))
    return [name.split(': ')[0]?.replace(/^(type|schema|language|wrapper|server|large object|default of) /, '') ?? name];
  if (aspect === 'definition') return [name.replace(/^[A-Z ]+ /, '').replace(/^[^.]*\./, '')];
  return [name.replace(/^[a-z ]+ (?=\S+$)/, ''), name.split(' ')[0] ?? name].map((word) => word.replaceAll('"', ''));
}

function shorten(value: string | null): string {
  if (value === null) return 'nothing';
  return value.length > 300 ? `${value.slice(0, 300)}...` : value;
}
