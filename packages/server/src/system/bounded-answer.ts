/** How old an answer may be, and for how long it is waited for. */
export interface AnswerBounds {
  /** An answer of this age is given again. */
  readonly freshMs: number;
  /** Whoever asks waits no longer than this. */
  readonly waitMs: number;
  /** What has not answered by then is not waited for any more: its signal is aborted, and the next who asks begins anew. */
  readonly giveUpMs: number;
}

/** Something that may be slow to answer, or never do, asked by many. */
export interface BoundedAnswer<T> {
  /** The answer; undefined when there is none in time. Rejects as the question does. */
  get(): Promise<T | undefined>;
  /** What is known is not true any more. */
  forget(): void;
}

/** After silence, this is how long the next who asks waits: what answers again does so at once. */
const AFTER_SILENCE_MS = 250;

/** Asks one question at a time, however many want its answer. */
export function boundAnswer<T>(ask: (signal: AbortSignal) => Promise<T>, { freshMs, waitMs, giveUpMs }: AnswerBounds): BoundedAnswer<T> {
  let known: { readonly value: T; readonly at: number } | undefined;
  let asking: Promise<T> | undefined;
  let wasSilent = false;

  const begin = (): Promise<T> => {
    const begun = ask(AbortSignal.timeout(giveUpMs));
    asking = begun;
    const ended = () => {
      if (asking === begun) asking = undefined;
    };
    begun.then((value) => {
      if (asking !== begun) return;
      known = { value, at: performance.now() };
      wasSilent = false;
      ended();
    }, ended);
    return begun;
  };

  return {
    async get() {
      if (known !== undefined && performance.now() - known.at < freshMs) return known.value;
      const answer = asking ?? begin();
      const silence = Promise.withResolvers<undefined>();
      const timer = setTimeout(
        () => {
          wasSilent = true;
          silence.resolve(undefined);
        },
        wasSilent ? AFTER_SILENCE_MS : waitMs,
      );
      try {
        return await Promise.race([answer, silence.promise]);
      } finally {
        clearTimeout(timer);
      }
    },
    forget() {
      known = undefined;
      // What is being answered was asked before.
      asking = undefined;
    },
  };
}
