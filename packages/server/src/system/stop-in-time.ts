/** What can be stopped, part by part. */
export interface Stoppable {
  /** Ends everything; each part has bounds of its own where it can. */
  stop(): Promise<void>;
  /** The part that is being stopped now. */
  waitsFor(): string | undefined;
}

/** How long a stop may take. Supervisors kill a process later than that: systemd after 90 s. */
const STOP_MS = 80_000;

/**
 * Waits for a stop, but no longer than a supervisor would: a server that hangs in the middle of a statement has no bound of its own. What goes
 * on then is what goes on after a kill, and the next start finds it.
 *
 * @param onLate is told in a sentence what is still waited for, and ends the process
 */
export async function stopInTime(whole: Stoppable, onLate: (sentence: string) => void, ms = STOP_MS): Promise<void> {
  const late = setTimeout(() => {
    const waitsFor = whole.waitsFor() ?? 'something unknown';
    onLate(
      `Flux did not stop within ${ms / 1000} s: it still waits for ${waitsFor}. It ends now, as if it were killed; start it again to find what goes on.`,
    );
  }, ms);
  await whole.stop().finally(() => clearTimeout(late));
}
