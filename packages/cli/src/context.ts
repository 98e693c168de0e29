import type { FluxClient } from '@flux/contract/client';
import type { Output } from './output/output.ts';
import type { Settings } from './settings/settings.ts';

/** What every command receives: the output, the settings, and the control plane. */
export interface Context {
  readonly output: Output;
  readonly settings: Settings;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  /** False with --no-input: no prompt may be shown. */
  readonly mayAsk: boolean;
  now(): Date;
  /**
   * The control plane, as the logged-in user.
   *
   * @throws FluxError `not_authenticated` without a token, `token_malformed` for a mistyped one; nothing has been sent then
   */
  client(): FluxClient;
  /** The version of the control plane, which it tells to everybody; null when it does not answer. */
  serverVersion(): Promise<string | null>;
  /** The control plane with a given token, for `login`. */
  clientWith(token: string): FluxClient;
}

/** What a function needs that calls the control plane and shows what it waits for. */
export type CallContext = Pick<Context, 'client' | 'output'>;

/** What a function needs that asks a person at the terminal. */
export type AskContext = Pick<Context, 'mayAsk' | 'stdin'>;
