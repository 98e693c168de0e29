/** Measures how long the phases of a verification take. */
export interface Stopwatch {
  time<T>(phase: string, work: () => Promise<T>): Promise<T>;
  /** Milliseconds of each phase so far. */
  phases(): Readonly<Record<string, number>>;
  /** Milliseconds since the start. */
  total(): number;
}

/** Starts at once. */
export function startStopwatch(): Stopwatch {
  const startedAt = performance.now();
  const phases: Record<string, number> = {};
  return {
    time: async (phase, work) => {
      const before = performance.now();
      try {
        return await work();
      } finally {
        phases[phase] = Math.round((phases[phase] ?? 0) + performance.now() - before);
      }
    },
    phases: () => ({ ...phases }),
    total: () => Math.round(performance.now() - startedAt),
  };
}
