/** Collects what must be released and releases it last-in-first-out; a failing releaser does not prevent the others. */
export class Releasers implements AsyncDisposable {
  readonly #stack: Array<{ name: string; release: () => Promise<void> | void }> = [];
  #current: string | undefined;
  readonly #onError: (name: string, error: unknown) => void;

  constructor(onError: (name: string, error: unknown) => void) {
    this.#onError = onError;
  }

  /** Registers something to release; the name is for the log. */
  add(name: string, release: () => Promise<void> | void): void {
    this.#stack.push({ name, release });
  }

  /** What is being released; undefined when nothing is. */
  get current(): string | undefined {
    return this.#current;
  }

  /** Releases everything, newest first. A second call does nothing. */
  async release(): Promise<void> {
    for (let entry = this.#stack.pop(); entry !== undefined; entry = this.#stack.pop()) {
      this.#current = entry.name;
      try {
        await entry.release();
      } catch (error) {
        this.#onError(entry.name, error);
      }
    }
    this.#current = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}
