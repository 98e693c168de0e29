/** One place that says which bytes something consists of. */
export interface Witness {
  /** Names the place in a sentence: `the catalog`. */
  readonly place: string;
  readonly sha256: string;
}

/**
 * Compares what several places say about the same bytes.
 *
 * @returns undefined when they agree; otherwise which of them differ, in one sentence. When one digest has the most witnesses, the others
 *   are called different from it; without a majority every place is named with its digest.
 */
export function findDisagreement(what: string, witnesses: readonly Witness[]): string | undefined {
  const byDigest = Map.groupBy(witnesses, ({ sha256 }) => sha256);
  if (byDigest.size <= 1) return undefined;
  const [most, next] = [...byDigest.values()].toSorted((a, b) => b.length - a.length);
  if (most === undefined || next === undefined || most.length === next.length)
    return `${what} has different SHA-256 digests: ${witnesses.map(describe).join('; ')}.`;
  const odd = witnesses.filter((witness) => !most.includes(witness));
  const same = most.map(({ place }) => place).join(' and ');
  return `${what} does not have one SHA-256 digest: ${odd.map(describe).join('; ')}, but ${most[0]?.sha256} by ${same}.`;
}

function describe({ place, sha256 }: Witness): string {
  return `${sha256} by ${place}`;
}
