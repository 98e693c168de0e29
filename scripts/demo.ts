// Shows Flux doing its job on real data, in under a minute: both engines, migrations, a backup, a verification by a real
// pg_restore, list, download, and a restore elsewhere. Ends with 0 only when every step really succeeded.
import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { type Flux, ROOT, startFlux } from '../acceptance/harness/flux.ts';
import { findClient } from '../acceptance/harness/postgres.ts';
import { sandboxesHere, whyNoSandbox } from '../acceptance/harness/sandbox.ts';

const startedAt = performance.now();
const example = join(ROOT, 'examples/bloom-atelier/migrations');
const bin = findClient();

const noSandbox = await whyNoSandbox();
if (noSandbox !== undefined) await warnAboutSandbox(noSandbox);

await using server = await announce('Starting a control plane in a temporary folder', () => startFlux({ env: { FLUX_LOG_LEVEL: 'warn' } }));
await show(server, 'create', 'bloom-atelier', '--mode', 'v1_dedicated');
await show(server, 'create', 'petal-post', '--mode', 'v2_shared');
await show(server, 'list');
const hashes = readHashes(server, await quiet(server, 'list', '--json'));

for (const [slug, hash] of hashes) {
  const project = ['--project', slug, '--hash', hash];
  await show(server, 'push', example, ...project);
  await show(server, 'backup', 'create', ...project);
  await show(server, 'backup', 'verify', ...project, '--latest');
  await show(server, 'backup', 'list', ...project);
  await show(server, 'backup', 'download', ...project, '--latest', '-o', join(server.folder, `${slug}.dump`));
}

// A restore without Flux: the owner empties the database, then pg_restore restores it.
const dedicated = await uriOf(server, 'bloom-atelier', hashes);
const before = digest(dedicated);
psql(dedicated, 'drop table order_lines, orders, bouquets cascade');
say('$ psql <uri> -c "drop table order_lines, orders, bouquets cascade"');
pgRestore(['--clean', '--if-exists', '--no-owner', '--no-acl', '--dbname', dedicated, join(server.folder, 'bloom-atelier.dump')]);
if (digest(dedicated) !== before) fail('the restored database differs from the one that was backed up');
say(`  every row is back: ${before}`);

// A tenant export can be restored into any Postgres of the same major version; here into a dedicated project.
await show(server, 'create', 'archive', '--mode', 'v1_dedicated');
const archive = await uriOf(server, 'archive', readHashes(server, await quiet(server, 'list', '--json')));
pgRestore(['--no-owner', '--no-acl', '--dbname', archive, join(server.folder, 'petal-post.dump')]);
const schema = psql(archive, `select nspname from pg_namespace where nspname like 't\\_%'`);
if (digest(archive, schema) !== before) fail('the restored tenant export differs from what was backed up');
say(`  every row is there: ${before}`);

say(`\nDone in ${((performance.now() - startedAt) / 1000).toFixed(1)} s. Everything above was real; nothing of it is left running.`);

/** Whether verifications on this host are sandboxed, and how to enable that. */
async function warnAboutSandbox(why: string): Promise<void> {
  const line = '*'.repeat(100);
  process.stderr.write(`${line}
NO SANDBOX WORKS ON THIS HOST, so this demo restores its own data WITHOUT WALLS.

A dump can hold programs of whoever made it, and a restore runs them. Flux restores in a sandbox, and a server that has none refuses
to verify; only the temporary server of this demo goes without (FLUX_VERIFY_SANDBOX=off), since it restores nothing but its own data.

Why:        ${why}
What helps: ${(await sandboxesHere()).hint}
${line}
`);
}

async function show(server: Flux, ...args: string[]): Promise<void> {
  say(`\n$ flux ${args.map((arg) => (arg.startsWith(server.folder) ? arg.slice(server.folder.length + 1) : arg)).join(' ')}`);
  const ended = await server.flux(...args);
  process.stdout.write(indent(ended.stdout));
  if (ended.exitCode !== 0) fail(`flux ${args.join(' ')} ended with ${ended.exitCode}\n${ended.stderr}`);
}

async function quiet(server: Flux, ...args: string[]): Promise<string> {
  const ended = await server.flux(...args);
  if (ended.exitCode !== 0) fail(`flux ${args.join(' ')} ended with ${ended.exitCode}\n${ended.stderr}`);
  return ended.stdout;
}

function readHashes(_server: Flux, json: string): Map<string, string> {
  return new Map((JSON.parse(json) as { slug: string; hash: string }[]).map(({ slug, hash }) => [slug, hash]));
}

async function uriOf(server: Flux, slug: string, hashes: Map<string, string>): Promise<string> {
  return (await quiet(server, 'project', 'credentials', slug, '--hash', hashes.get(slug) ?? '', '--field', 'postgres.url')).trim();
}

function psql(uri: string, sql: string): string {
  return execFileSync(join(bin, 'psql'), ['-X', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', sql, uri], { encoding: 'utf8' }).trim();
}

function digest(uri: string, schema = 'public'): string {
  return psql(
    uri,
    `select count(*) || ' order lines, ' || sum(total) || ' in all, ' || md5(string_agg(l::text, ',' order by order_id, bouquet_id)) from ${schema}.order_lines l`,
  );
}

function pgRestore(args: string[]): void {
  say(
    `\n$ pg_restore ${args.map((arg) => (arg.startsWith('postgresql://') ? '"<uri>"' : arg.startsWith(server.folder) ? arg.slice(server.folder.length + 1) : arg)).join(' ')}`,
  );
  const ended: SpawnSyncReturns<string> = spawnSync(join(bin, 'pg_restore'), args, { encoding: 'utf8' });
  if (ended.status !== 0) fail(`pg_restore ended with ${ended.status}\n${ended.stderr}`);
}

async function announce<T>(text: string, work: () => Promise<T>): Promise<T> {
  say(`${text} ...`);
  return work();
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}

function fail(message: string): never {
  throw new Error(message);
}
