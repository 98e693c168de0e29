import { FluxError } from '@flux/contract/errors';
import { type DockerEngine, engineError, reasonOf, unlessMissing } from './engine.ts';

/** The image of a major version, which replaces `{major}` in a setting. */
export function imageOf(template: string, major: number): string {
  return template.replaceAll('{major}', String(major));
}

/**
 * Makes sure that an image exists locally, by pulling it if necessary.
 *
 * @throws FluxError `postgres_missing` when it cannot be pulled, `instance_unavailable` when Docker does not answer
 */
export async function requireImage(engine: DockerEngine, image: string, major: number, signal?: AbortSignal): Promise<void> {
  try {
    if ((await unlessMissing(engine.client.getImage(image).inspect())) !== undefined) return;
  } catch (error) {
    throw engineError(error, engine, 'instance_unavailable');
  }
  try {
    await pull(engine, image, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw new FluxError('postgres_missing', `PostgreSQL ${major} is needed, but the image ${image} is not available: ${reasonOf(error)}`, {
      hint: `Get it with \`docker pull ${image}\`, or set FLUX_DOCKER_POSTGRES_IMAGE and FLUX_BACKUP_VERIFY_POSTGRES_IMAGE to another one.`,
      details: { major, image },
      cause: error,
    });
  }
}

async function pull(engine: DockerEngine, image: string, signal: AbortSignal | undefined): Promise<void> {
  const progress = await engine.client.pull(image, signal === undefined ? {} : { abortSignal: signal });
  await new Promise<void>((resolve, reject) => {
    engine.client.modem.followProgress(progress, (error) => (error === null ? resolve() : reject(error)));
  });
}
