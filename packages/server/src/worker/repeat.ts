/** Work that is done again and again, never twice at once. */
export interface Repeated {
  /** Does it now, or once more as soon as what is under way has ended. */
  soon(): void;
  /** Ends it, and waits for the work that is under way. */
  stop(): Promise<void>;
}

/** Does some work at once, and again each time that `everyMs` have passed since it ended. The work must not throw. */
export function repeat(everyMs: number, work: () => Promise<void>): Repeated {
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  let isUnderway = false;
  let isWanted = false;
  let underway = Promise.resolve();
  const next = () => {
    isUnderway = true;
    isWanted = false;
    underway = work().then(() => {
      isUnderway = false;
      if (!isOver) timer = setTimeout(next, isWanted ? 0 : everyMs);
    });
  };
  next();
  return {
    soon: () => {
      isWanted = true;
      if (isUnderway || isOver) return;
      clearTimeout(timer);
      next();
    },
    stop: async () => {
      isOver = true;
      clearTimeout(timer);
      await underway;
    },
  };
}
