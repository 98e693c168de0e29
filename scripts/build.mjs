import { existsSync } from 'node:fs';
import { chmod, copyFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build as bundle } from 'esbuild';
import { thirdPartyLicenses } from './third-party-licenses.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Builds what is shipped: `packages/cli/dist`, which runs on Node 20 and needs no other files, and `packages/server/dist`, whose
 * libraries are in node_modules.
 *
 * @returns {Promise<string[]>} the programs that were built
 */
export async function build() {
  const built = [await buildCli()];
  // A checkout of the command line alone has no server.
  if (existsSync(join(root, 'packages/server/src/main.ts'))) built.push(await buildServer());
  return built;
}

async function buildCli() {
  const outfile = join(root, 'packages/cli/dist/flux.js');
  await rm(dirname(outfile), { recursive: true, force: true });
  const { metafile } = await bundle({
    absWorkingDir: root,
    metafile: true,
    entryPoints: [join(root, 'packages/cli/src/main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // Identifiers are kept, so that stack traces can be read.
    minifyWhitespace: true,
    minifySyntax: true,
    // Their place is THIRD-PARTY-LICENSES, which has the whole texts.
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
  const licenses = await thirdPartyLicenses(root, [...Object.keys(metafile.inputs), relative(root, SQL_PARSER)], {
    'libpg-query': join(root, 'scripts/licenses/libpg-query-wasm.txt'),
  });
  await writeFile(join(dirname(outfile), 'THIRD-PARTY-LICENSES'), licenses);
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
    // Everything except the check of Node's version goes into a separate file, which an older Node does not load.
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
 * An ES module loads all its imports before its first line, and esbuild hoists the imports of lazily loaded parts to the top of the
 * file: `flux --version` would load TLS. With require, Node's own modules are loaded where they are first used.
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

/** Loads its WebAssembly from its own folder, in node_modules as well as in `dist`. */
const SQL_PARSER = createRequire(join(root, 'packages/contract/package.json')).resolve('libpg-query/wasm/libpg-query.js');

/** The parser has 1.8 MB and few commands need it: inside the bundle it would delay the start of every command. */
const sqlParserBeside = {
  name: 'sql-parser-beside',
  /** @param {import('esbuild').PluginBuild} plugins */
  setup(plugins) {
    plugins.onResolve({ filter: /^libpg-query\/wasm\/libpg-query\.js$/ }, () => ({ path: './libpg-query.cjs', external: true }));
  },
};

/** The contract is TypeScript source: unlike the libraries it is bundled. */
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
