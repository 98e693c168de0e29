/** Pauses between attempts: each about twice as long as the one before, up to a ceiling. */
export interface BackOff {
  /** The next pause. Up to a quarter of it is random, so that many clients do not all retry at once. */
  next(): number;
  /** Starts again with the first pause. */
  reset(): void;
}

export function createBackOff(firstMs: number, ceilingMs: number): BackOff {
  let pauseMs = firstMs;
  return {
    next: () => {
      const now = pauseMs;
      pauseMs = Math.min(2 * pauseMs, ceilingMs);
      return now * (1 - Math.random() / 4);
    },
    reset: () => {
      pauseMs = firstMs;
    },
  };
}
