/** Pauses between attempts: each about twice as long as the one before, up to a ceiling. */
export interface BackOff {
  /** The next pause. Up to a quarter of it is chance, so that many who lost the same thing do not all come back at once. */
  next(): number;
  /** Begins with the first pause again. */
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
