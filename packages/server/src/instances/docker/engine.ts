import { createHash } from 'node:crypto';
import { FluxError } from '@flux/contract/errors';
import Docker from 'dockerode';

/** A Docker engine on this host, and the data folder whose containers and volumes are ours. */
export interface DockerEngine {
  readonly client: Docker;
  readonly socketPath: string;
  /** Short name of the data folder, a label of containers and volumes, so that two control planes can share one engine. */
  readonly owner: string;
}

export interface DockerEngineOptions {
  /** Path of the engine's socket. */
  readonly socketPath: string;
  readonly dataFolder: string;
}

/** Describes an engine; sends nothing. The engine must run on this host: folders are mounted, and ports published on loopback. */
export function openDockerEngine({ socketPath, dataFolder }: DockerEngineOptions): DockerEngine {
  const owner = createHash('sha256').update(dataFolder).digest('hex').slice(0, 12);
  return { client: new Docker({ socketPath }), socketPath, owner };
}

/** Labels of everything that Flux creates. */
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

/** The filter that finds our containers and volumes of one kind in the engine's API. */
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
 * Converts a failure of the engine to a FluxError; FluxErrors and aborts pass through.
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
        ? 'Allow this account to use Docker, for example by adding it to the group `docker`, then try again.'
        : 'Start Docker, for example with `systemctl start docker`, or set DOCKER_HOST=unix:///path to its socket, then try again.',
    details: { socket: engine.socketPath },
    cause: error,
  });
}

/** The engine's own message, which its client puts into `json`. */
export function reasonOf(error: unknown): string {
  const said = (error as { json?: { message?: unknown } }).json?.message;
  return typeof said === 'string' ? said : error instanceof Error ? error.message : String(error);
}
