import { existsSync } from 'node:fs';
import { chmod, copyFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build as bundle } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Builds what is shipped: `packages/cli/dist/flux.js`, which runs on Node 20 and needs nothing beside it but the SQL parser,
 * and `packages/server/dist/flux-server.js` with `main.js` beside it, which finds its libraries in node_modules.
 *
 * @returns {Promise<string[]>} the files that were made
 */
export async function build() {
  const made = [await buildCli()];
  // The server may be missing from a checkout of the command line alone.
  if (existsSync(join(root, 'packages/server/src/main.ts'))) made.push(await buildServer());
  return made;
}

async function buildCli() {
  const outfile = join(root, 'packages/cli/dist/flux.js');
  await rm(dirname(outfile), { recursive: true, force: true });
  await bundle({
    entryPoints: [join(root, 'packages/cli/src/main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // Names stay, so that a stack trace can be read.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    plugins: [builtinsWhenNeeded, sqlParserBeside],
    // commander is CommonJS and asks for Node's own modules with require.
    banner: {
      js: '#!/usr/bin/env node\nimport{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);',
    },
    logLevel: 'warning',
  });
  await chmod(outfile, 0o755);
  await copyFile(SQL_PARSER, join(dirname(outfile), 'libpg-query.cjs'));
  await copyFile(SQL_PARSER.replace(/\.js$/, '.wasm'), join(dirname(outfile), 'libpg-query.wasm'));
  return outfile;
}

async function buildServer() {
  const outfile = join(root, 'packages/server/dist/flux-server.js');
  await rm(dirname(outfile), { recursive: true, force: true });
  await bundle({
    entryPoints: { 'flux-server': join(root, 'packages/server/src/start.js') },
    outdir: dirname(outfile),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    // All but the check of Node's version goes into a file of its own, which an older Node does not get to see.
    splitting: true,
    chunkNames: '[name]',
    packages: 'external',
    plugins: [contractIsOurs],
    sourcemap: 'linked',
    legalComments: 'none',
    logLevel: 'warning',
  });
  return outfile;
}

/**
 * An ES module loads everything that it imports before its first line, and esbuild lifts the imports of lazily loaded parts to
 * the top of the file: `flux --version` would load TLS. Through require, Node's own modules are loaded where they are first used.
 */
const builtinsWhenNeeded = {
  name: 'builtins-when-needed',
  /** @param {import('esbuild').PluginBuild} plugins */
  setup(plugins) {
    plugins.onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === 'require-call' ? { path, external: true } : { path, namespace: 'builtin' },
    );
    plugins.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)})`,
      loader: 'js',
    }));
  },
};

/** Finds its WebAssembly beside its own file, in node_modules as in the folder it is copied to. */
const SQL_PARSER = createRequire(join(root, 'packages/contract/package.json')).resolve('libpg-query/wasm/libpg-query.js');

/** The parser is 1.8 MB and few commands need it: inside of the bundle it would delay the start of all of them. */
const sqlParserBeside = {
  name: 'sql-parser-beside',
  /** @param {import('esbuild').PluginBuild} plugins */
  setup(plugins) {
    plugins.onResolve({ filter: /^libpg-query\/wasm\/libpg-query\.js$/ }, () => ({ path: './libpg-query.cjs', external: true }));
  },
};

/** The contract is TypeScript of ours: unlike the libraries it goes into the bundle. */
const contractIsOurs = {
  name: 'contract-is-ours',
  /** @param {import('esbuild').PluginBuild} plugins */
  setup(plugins) {
    plugins.onResolve({ filter: /^@flux\/contract\// }, ({ path }) => ({
      path: join(root, 'packages/contract/src', `${path.slice('@flux/contract/'.length)}.ts`),
    }));
  },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const file of await build()) console.log(file);
}
