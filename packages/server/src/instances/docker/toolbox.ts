import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { isFluxError } from '@flux/contract/errors';
import type { PostgresToolbox, PostgresTools } from '../../postgres/target.ts';
import type { ProcessOptions, ProcessResult } from '../../system/process.ts';
import { type DockerEngine, engineError } from './engine.ts';
import { imageOf, requireImage } from './images.ts';
import { bind } from './isolation.ts';
import { runTool } from './run-tool.ts';
import { RUN_PROGRAM, RUN_PROGRAM_WITH_PASSWORD } from './scripts.ts';

export interface DockerToolboxOptions {
  readonly engine: DockerEngine;
  /** Image with the programs; `{major}` is replaced by the major version. */
  readonly image: string;
  /** The programs of this host, which are preferred because they start faster. */
  readonly host: PostgresToolbox;
}

/** Finds programs by major version: on this host, otherwise in the image of that version. */
export function createDockerToolbox({ engine, image, host }: DockerToolboxOptions): PostgresToolbox {
  return {
    majors: host.majors,
    require(major, need) {
      try {
        return host.require(major, need);
      } catch (error) {
        if (!isFluxError(error, 'postgres_missing')) throw error;
        return toolsInImage(engine, imageOf(image, major), major);
      }
    },
  };
}

function toolsInImage(engine: DockerEngine, image: string, major: number): PostgresTools {
  const binFolder = '/';
  return {
    major,
    version: String(major),
    binFolder,
    postgres: undefined,
    initdb: undefined,
    pgDump: join(binFolder, 'pg_dump'),
    pgRestore: join(binFolder, 'pg_restore'),
    run: (program, args, options = {}) => runInImage(engine, image, major, program.slice(binFolder.length), args, options),
  };
}

/** On the host's network: the address of a target is the one that the host uses. */
async function runInImage(
  engine: DockerEngine,
  image: string,
  major: number,
  program: string,
  args: readonly string[],
  options: ProcessOptions,
): Promise<ProcessResult> {
  // Before the first await: a stream with a listener starts to flow in the next tick, and data that flows past is lost.
  const input = pauseStream(options.input);
  await requireImage(engine, image, major, options.signal);
  const { PGPASSWORD: password, ...env } = options.env ?? {};
  const files = args.flatMap((arg) => /^--use-list=(\/.+)$/.exec(arg)?.[1] ?? []);
  const seen = [...(env.PGHOST?.startsWith('/') ? [env.PGHOST] : []), ...files].filter((path) => existsSync(path));
  try {
    return await runTool(engine, {
      image,
      script: password === undefined ? RUN_PROGRAM : RUN_PROGRAM_WITH_PASSWORD,
      args: [String(major), program, ...args],
      env,
      input: password === undefined && input === undefined ? undefined : Readable.from(stdin(password, input)),
      networkMode: 'host',
      mounts: seen.map((path) => bind(path, path, 'read')),
      onStdout: options.onStdout,
      signal: options.signal,
    });
  } catch (error) {
    throw engineError(error, engine, 'instance_unavailable');
  }
}

/** The program's stdin, after the line that the script reads as the password. */
async function* stdin(password: string | undefined, input: Readable | undefined): AsyncGenerator<string | Buffer> {
  if (password !== undefined) yield `${password}\n`;
  if (input !== undefined) yield* input;
}

/** Pauses a stream at once: nothing flows until a reader asks for it. */
function pauseStream(input: ProcessOptions['input']): Readable | undefined {
  if (input === undefined) return undefined;
  if (typeof input === 'string') return Readable.from([input]);
  const paused = new PassThrough();
  input.once('error', (error) => paused.destroy(error));
  // It may never be read, for example when the image is missing.
  paused.on('error', () => undefined);
  return input.pipe(paused);
}
