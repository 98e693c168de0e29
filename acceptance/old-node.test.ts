import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from './harness/flux.ts';
import { run } from './harness/process.ts';

const STARTS = ['packages/server/dist/flux-server.js', 'packages/server/bin/flux-server.js'];

/** Makes a Node take itself for another one, before the program's first line. */
function pretend(version: string): string[] {
  const code = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`;
  return ['--import', `data:text/javascript,${encodeURIComponent(code)}`];
}

/** A Node of this host that is really too old. */
function findOldNode(): { path: string; version: string } | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'node'))
    .filter((path) => existsSync(path))
    .map((path) => ({ path, version: execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim() }))
    .find(({ version }) => Number(version.split('.')[0]) < 22);
}

const old = findOldNode();
const olds = ['18.20.8', '20.20.2', '22.17.1'].map((version) => ({
  kind: 'pretended',
  path: process.execPath,
  args: pretend(version),
  version,
}));
const nodes = old === undefined ? olds : [...olds, { kind: 'real', path: old.path, args: [], version: old.version }];

it.each(nodes.flatMap((node) => STARTS.map((start) => ({ ...node, start }))))(
  'refuses a $kind Node $version before anything else runs: $start',
  async ({ path, args, version, start }) => {
    // A setting that is wrong would be the first thing that a server that runs complains about.
    const ended = await run(path, [...args, join(ROOT, start)], { env: { FLUX_NONSENSE: 'yes' } });
    expect(ended.stderr).toBe(
      `flux-server needs Node 22.18 or newer; this is ${version} (${path}).\nStart it with a newer one. In a checkout, \`npm start\` runs it with the right one.\n`,
    );
    expect(ended.stdout).toBe('');
    expect(ended.exitCode).toBe(1);
  },
);

it('runs on the oldest that it may', async () => {
  const ended = await run(process.execPath, [...pretend('22.18.0'), join(ROOT, STARTS[0] as string), '--version']);
  expect(ended).toMatchObject({ exitCode: 0, stdout: '0.1.0\n', stderr: '' });
});
