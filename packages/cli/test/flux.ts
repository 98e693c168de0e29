import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TOKEN } from './control-plane.ts';

const SOURCES = [process.execPath, fileURLToPath(new URL('../src/main.ts', import.meta.url))];
/** What is tested: the sources, or for example `FLUX_TEST_COMMAND="/usr/bin/node packages/cli/dist/flux.js"`, with full paths. */
const [PROGRAM = process.execPath, ...FIRST_ARGS] = process.env.FLUX_TEST_COMMAND?.split(' ') ?? SOURCES;

/** How a run of `flux` ended. */
export interface FluxResult {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly out: string;
  readonly err: string;
}

/** A folder for one test: home, project folder and all. */
export interface Sandbox extends AsyncDisposable {
  readonly home: string;
  readonly cwd: string;
}

export async function makeSandbox(): Promise<Sandbox> {
  const cwd = await mkdtemp(join(tmpdir(), 'flux-cli-'));
  return { home: cwd, cwd, [Symbol.asyncDispose]: () => rm(cwd, { recursive: true, force: true }) };
}

export interface FluxOptions {
  readonly base?: string;
  readonly sandbox: Sandbox;
  readonly env?: Record<string, string>;
  readonly input?: string;
  readonly onSpawn?: (child: ChildProcess) => void;
}

/** Runs `flux` as a process of its own, logged in through the environment. */
export function flux(args: readonly string[], options: FluxOptions): Promise<FluxResult> {
  return run(PROGRAM, [...FIRST_ARGS, ...args], options);
}

/** The same on a colour terminal of its own; everything shown there is in `out`. */
export function fluxOnTerminal(args: readonly string[], options: FluxOptions): Promise<FluxResult> {
  const line = [PROGRAM, ...FIRST_ARGS, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  return run('script', ['-qec', line, '/dev/null'], options);
}

function run(program: string, args: readonly string[], { base, sandbox, env, input, onSpawn }: FluxOptions): Promise<FluxResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: sandbox.cwd,
      env: {
        PATH: process.env.PATH ?? '',
        HOME: sandbox.home,
        FLUX_API_TOKEN: TOKEN,
        ...(process.env.NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE }),
        ...(base === undefined ? {} : { FLUX_API_BASE: base }),
        ...env,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
    child.on('error', reject);
    child.on('close', (exitCode, signal) => {
      const stdout = Buffer.concat(out);
      resolve({ exitCode, signal, stdout, out: stdout.toString('utf8'), err: Buffer.concat(err).toString('utf8') });
    });
    onSpawn?.(child);
  });
}
