/** The median; for an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = Number.NaN, high = Number.NaN] =
    sorted.length % 2 === 1 ? [sorted[middle], sorted[middle]] : [sorted[middle - 1], sorted[middle]];
  return (low + high) / 2;
}

/** One figure: Flux against a raw tool, measured alternately, so that a drifting machine speed does not matter. */
export interface Figure {
  readonly figure: string;
  readonly against: string;
  readonly oursMs: number;
  readonly rawMs: number;
  /** Median of the ratios of the pairs. */
  readonly ratio: number;
  readonly sizeRatio?: number;
  readonly target: string;
  readonly met: boolean;
  readonly pairs: number;
}

/** Measures pairs A B A B ... and returns the median of their ratios. */
export async function comparePairs(
  names: { readonly figure: string; readonly against: string },
  pairs: number,
  ours: () => Promise<{ ms: number; bytes?: number }>,
  raw: () => Promise<{ ms: number; bytes?: number }>,
  target: { readonly ratio: number; readonly sizeRatio?: number; readonly ms?: number },
): Promise<Figure> {
  const runs: { ours: { ms: number; bytes?: number }; raw: { ms: number; bytes?: number } }[] = [];
  for (let i = 0; i < pairs; i++) runs.push({ ours: await ours(), raw: await raw() });
  const ratio = median(runs.map((run) => run.ours.ms / run.raw.ms));
  const oursMs = median(runs.map((run) => run.ours.ms));
  const last = runs.at(-1);
  const sizeRatio = last?.ours.bytes === undefined || last.raw.bytes === undefined ? undefined : last.ours.bytes / last.raw.bytes;
  const met =
    ratio <= target.ratio &&
    (sizeRatio ?? 0) <= (target.sizeRatio ?? Number.POSITIVE_INFINITY) &&
    oursMs <= (target.ms ?? Number.POSITIVE_INFINITY);
  const words = [
    `<= ${target.ratio.toFixed(2)}x`,
    ...(target.sizeRatio === undefined ? [] : [`size <= ${target.sizeRatio.toFixed(2)}x`]),
    ...(target.ms === undefined ? [] : [`<= ${target.ms} ms`]),
  ];
  return {
    ...names,
    oursMs,
    rawMs: median(runs.map((run) => run.raw.ms)),
    ratio,
    ...(sizeRatio === undefined ? {} : { sizeRatio }),
    target: words.join(', '),
    met,
    pairs,
  };
}
