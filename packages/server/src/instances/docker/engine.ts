import { createHash } from 'node:crypto';
import { FluxError } from '@flux/contract/errors';
import Docker from 'dockerode';

/** A Docker engine on this host, and whose things on it are ours. */
export interface DockerEngine {
  readonly client: Docker;
  readonly socketPath: string;
  /** Short name of the data folder; containers and volumes carry it, so that two control planes may share one engine. */
  readonly owner: string;
}

export interface DockerEngineOptions {
  /** Path of the engine's socket. */
  readonly socketPath: string;
  readonly dataFolder: string;
}

/** Names an engine; nothing is sent. The engine must run on this host: folders are mounted, and ports published on loopback. */
export function openDockerEngine({ socketPath, dataFolder }: DockerEngineOptions): DockerEngine {
  const owner = createHash('sha256').update(dataFolder).digest('hex').slice(0, 12);
  return { client: new Docker({ socketPath }), socketPath, owner };
}

/** Labels of everything that we make. */
export const LABELS = {
  owner: 'flux.data-folder',
  kind: 'flux.kind',
  instance: 'flux.instance',
  /** The process that created it, as `<pid> <start ticks>`: for what must not outlive the control plane. */
  maker: 'flux.maker',
} as const;

/** `instance` stays; `disposable` and `tool` end with the control plane that created them. */
export type ContainerKind = 'instance' | 'disposable' | 'tool';

export function labelsOf(engine: DockerEngine, kind: ContainerKind, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { [LABELS.owner]: engine.owner, [LABELS.kind]: kind, ...more };
}

/** The filter for the lists of the engine's API that finds our things of one kind. */
export function filterOf(engine: DockerEngine, kind: ContainerKind): { label: string[] } {
  return { label: [`${LABELS.owner}=${engine.owner}`, `${LABELS.kind}=${kind}`] };
}

/** HTTP status of an answer of the engine; undefined when it did not answer. */
export function statusOf(error: unknown): number | undefined {
  const status = (error as { statusCode?: unknown } | undefined)?.statusCode;
  return typeof status === 'number' ? status : undefined;
}

/** Turns an answer of 404, or of 304 (already so), into undefined. */
export async function unlessMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    const status = statusOf(error);
    if (status === 404 || status === 304) return undefined;
    throw error;
  }
}

/**
 * Turns a failure of the engine into an error of ours; ours, and an abort, stay what they are.
 *
 * @param code `instance_unavailable` for servers, `sandbox_unavailable` for disposable ones
 */
export function engineError(error: unknown, engine: DockerEngine, code: 'instance_unavailable' | 'sandbox_unavailable'): unknown {
  if (!(error instanceof Error) || error.name === 'FluxError' || error.name === 'AbortError') return error;
  const { code: systemCode } = error as NodeJS.ErrnoException;
  const isConversation = statusOf(error) !== undefined || systemCode !== undefined || /socket hang up/.test(error.message);
  if (!isConversation) return error;
  if (statusOf(error) !== undefined)
    return new FluxError(code, `Docker refused: ${reasonOf(error)}`, { hint: 'See `docker info` and the log of Docker.', cause: error });
  const why = systemCode === 'EACCES' ? 'this account may not use it' : (systemCode ?? error.message);
  return new FluxError(code, `Docker does not answer at ${engine.socketPath} (${why}).`, {
    hint:
      systemCode === 'EACCES'
        ? 'Let this account use Docker, for example by its group `docker`, then try again.'
        : 'Start Docker, for example with `systemctl start docker`, or name its socket in DOCKER_HOST=unix:///path, then try again.',
    details: { socket: engine.socketPath },
    cause: error,
  });
}

/** The engine's own words: its client puts them into `json`, and other words around them. */
export function reasonOf(error: unknown): string {
  const said = (error as { json?: { message?: unknown } }).json?.message;
  return typeof said === 'string' ? said : error instanceof Error ? error.message : String(error);
}
