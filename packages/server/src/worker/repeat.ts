/**
 * Does some work at once, and again each time that `everyMs` have passed since it ended. The work must not throw.
 *
 * @returns what ends it, and waits for the work that is under way
 */
export function repeat(everyMs: number, work: () => Promise<void>): () => Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  let underway = Promise.resolve();
  const next = () => {
    underway = work().then(() => {
      if (!isOver) timer = setTimeout(next, everyMs);
    });
  };
  next();
  return async () => {
    isOver = true;
    clearTimeout(timer);
    await underway;
  };
}
