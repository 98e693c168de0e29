import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ended, run } from '../harness/process.ts';

/** The engine that `npm run test:docker` has started, and the image that it has made. */
export const ENGINE = {
  host: required('DOCKER_HOST'),
  socketPath: required('DOCKER_HOST').replace(/^unix:\/\//, ''),
  image: required('FLUX_DOCKER_POSTGRES_IMAGE'),
  majors: required('FLUX_TEST_DOCKER_MAJORS').split(',').map(Number),
};

/** Runs the client of Docker against that engine. */
export function docker(...args: string[]): Promise<Ended> {
  return run('docker', args, { env: { DOCKER_HOST: ENGINE.host, HOME: '/nonexistent' } });
}

/** Lines that a command of Docker's client prints. */
export async function dockerLines(...args: string[]): Promise<string[]> {
  const { exitCode, stdout, stderr } = await docker(...args);
  if (exitCode !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`);
  return stdout.split('\n').filter((line) => line !== '');
}

/** Names of all containers and volumes that carry our label. */
export async function ours(): Promise<string[]> {
  const label = ['--filter', 'label=flux.data-folder'];
  const containers = await dockerLines('ps', '-a', ...label, '--format', '{{.Names}}');
  return [...containers, ...(await dockerLines('volume', 'ls', ...label, '--format', '{{.Name}}'))];
}

/** A folder for one test file. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'flux-docker-'));
  chmodSync(path, 0o711);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set: run this suite with \`npm run test:docker\``);
  return value;
}
