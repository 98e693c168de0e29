import { type SandboxTrial, trySandboxes } from '../../scripts/setup/sandbox.ts';

/** Environment variable with the result for the whole run, so that each test file need not try again. */
const KEPT = 'FLUX_TEST_SANDBOXES';

/** Tries the sandboxes of this host once; vitest runs this before the tests, whose processes inherit the result. */
export default async function prepare(): Promise<void> {
  process.env[KEPT] ??= JSON.stringify(await trySandboxes());
}

/** What works on this host. */
export async function sandboxesHere(): Promise<SandboxTrial> {
  await prepare();
  return JSON.parse(process.env[KEPT] as string) as SandboxTrial;
}

/** Why no sandbox works on this host, or undefined when one does. */
export async function whyNoSandbox(): Promise<string | undefined> {
  const { bubblewrap, unshare } = await sandboxesHere();
  return bubblewrap === null || unshare === null ? undefined : `bubblewrap: ${bubblewrap}; unshare: ${unshare}`;
}

/** Settings of a server that verifies here: without a sandbox where none can be created, since tests restore their own data. */
export async function sandboxSettings(): Promise<Readonly<Record<string, string>>> {
  return (await whyNoSandbox()) === undefined ? {} : { FLUX_VERIFY_SANDBOX: 'off' };
}

/**
 * Options of a test, or of a group of tests, about the sandbox itself: `it('...', await needsSandbox(), () => ...)`. Where it cannot be
 * created the test is skipped, and scripts/left-out.ts lists it at the end of the run.
 */
export async function needsSandbox(kind: 'any' | 'bubblewrap' | 'unshare' = 'any'): Promise<LeftOutOptions> {
  const why = kind === 'any' ? await whyNoSandbox() : (await sandboxesHere())[kind];
  if (why === undefined || why === null) return {};
  return leaveOut(kind === 'any' ? `no sandbox works on this host (${why})` : `${kind} does not work on this host (${why})`);
}

/** Options of a test that cannot run here, with the reason that is listed at the end of the run. */
export function leaveOut(reason: string): LeftOutOptions {
  return { skip: true, meta: { leftOut: reason } };
}

export interface LeftOutOptions {
  readonly skip?: boolean;
  readonly meta?: { readonly leftOut: string };
}

declare module 'vitest' {
  interface TaskMeta {
    leftOut?: string;
  }
}
