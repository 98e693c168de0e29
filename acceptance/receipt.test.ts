import { generateKeyPairSync } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Flux, ROOT, startFlux, type TestProject } from './harness/flux.ts';
import { psql } from './harness/postgres.ts';
import { run } from './harness/process.ts';

let flux: Flux;
let project: TestProject;
beforeAll(async () => {
  flux = await startFlux();
  project = await flux.createProject('bloom', 'v1_dedicated');
  await psql(project.uri, 'create table secret_orders (id int primary key); insert into secret_orders select generate_series(1, 500)');
});
afterAll(() => flux?.[Symbol.asyncDispose]());

interface Check {
  readonly holds: boolean;
  readonly keyId: string | null;
  readonly findings: readonly { readonly what: string; readonly holds: boolean | null; readonly detail: string }[];
  readonly statement: { readonly predicate: { readonly verdict: string; readonly sequence: number } } | null;
}

const file = (name: string) => join(flux.folder, name);
const readJson = (name: string) => JSON.parse(readFileSync(file(name), 'utf8'));
const well = async (...args: string[]) => {
  const ended = await flux.flux(...args);
  expect(ended.stderr + (ended.exitCode === 0 ? '' : ended.stdout), `flux ${args.join(' ')}`).toSatisfy(() => ended.exitCode === 0);
  return ended.stdout;
};
/** Checks offline: no token, and the address of nobody. */
const check = (...args: string[]) =>
  flux.fluxWith({ env: { FLUX_API_TOKEN: '', FLUX_API_BASE: 'http://127.0.0.1:1/api' } }, 'receipt', 'check', ...args);
const checked = async (...args: string[]) => {
  const ended = await check(...args, '--json');
  return { exitCode: ended.exitCode, ...(JSON.parse(ended.stdout) as Check) };
};
const failing = ({ findings }: Check) => findings.filter(({ holds }) => holds === false).map(({ what }) => what);
const changeOneByte = (from: string, to: string, at: (size: number) => number) => {
  const bytes = readFileSync(file(from));
  const offset = at(bytes.length);
  bytes.writeUInt8((bytes[offset] ?? 0) ^ 1, offset);
  writeFileSync(file(to), bytes);
};

describe('the receipts of a project', () => {
  it('can be had for what was verified, and not before', async () => {
    await well('backup', 'create', ...project.flags);
    const early = await flux.flux('backup', 'receipt', ...project.flags, '--latest');
    expect(early.exitCode).toBe(4);
    expect(early.stderr).toContain('no verification of it has ended yet');
    expect(early.stderr).toContain('flux backup verify');

    await well('receipt', 'keys').then((text) => writeFileSync(file('old.pem'), text));
    const { proof } = JSON.parse(await well('backup', 'verify', ...project.flags, '--latest', '--json'));
    const printed = await flux.flux('backup', 'receipt', ...project.flags, '--latest');
    writeFileSync(file('first.json'), printed.stdout);

    expect(proof.receiptId).toBe(proof.verificationId);
    expect(Object.keys(JSON.parse(printed.stdout)).sort()).toEqual(['payload', 'payloadType', 'signatures']);
    expect(printed.stderr).toMatch(/Verdict: +restorable/);
    expect(printed.stderr).toMatch(new RegExp(`Verification: +${proof.verificationId}`));
    expect(Buffer.from(readJson('first.json').payload, 'base64').toString()).not.toContain('secret_orders');
    await well('backup', 'download', ...project.flags, '--latest', '-o', file('bloom.dump'));
    const { backups } = JSON.parse(await well('backup', 'list', ...project.flags, '--json'));
    const artifact = join(flux.dataFolder, 'backups', backups[0].primaryArtifactRelativePath);
    copyFileSync(artifact.replace(/dump$/, 'manifest.json'), file('manifest.json'));
  });

  it('are checked with nothing but a key that was kept, while the control plane is stopped', async () => {
    await flux.stop();
    try {
      const evidence = ['--key', file('old.pem'), '--artifact', file('bloom.dump'), '--manifest', file('manifest.json')];
      const { exitCode, stdout, stderr } = await check(file('first.json'), ...evidence);

      expect(stderr).toBe('');
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(
        /^✓ The receipt is valid\n {2}✓ signature: by key [0-9a-f]{16}\n {2}✓ statement: .*\n {2}✓ artifact: .*\n {2}✓ manifest: /,
      );
      expect(stdout).toMatch(/Verdict: +restorable/);
      expect(stdout).toContain(' tables, 500 rows');
    } finally {
      await flux.start();
    }
  });

  it('do not hold for an artifact, a manifest or a receipt in which one byte was changed', async () => {
    const trusted = ['--key', file('old.pem')];
    changeOneByte('bloom.dump', 'other.dump', (size) => size >> 1);
    changeOneByte('manifest.json', 'other-manifest.json', (size) => size >> 1);
    // Within the base64 of the payload.
    changeOneByte('first.json', 'other.json', (size) => size >> 1);

    const artifact = await checked(file('first.json'), ...trusted, '--artifact', file('other.dump'));
    const manifest = await checked(file('first.json'), ...trusted, '--manifest', file('other-manifest.json'));
    const receipt = await checked(file('other.json'), ...trusted);

    expect([artifact, manifest, receipt].map((result) => [result.exitCode, result.holds, ...failing(result)])).toEqual([
      [7, false, 'artifact'],
      [7, false, 'manifest'],
      [7, false, 'signature'],
    ]);
    expect(receipt.statement).toBeNull();
  });

  it('are refused without a key, with a key that is none, and with the key of somebody else', async () => {
    const strange = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' });
    writeFileSync(file('stranger.pem'), strange);

    const without = await check(file('first.json'));
    const none = await check(file('first.json'), '--key', file('first.json'));
    const absent = await check(file('nothing.json'), '--key', file('old.pem'));
    const stranger = await checked(file('first.json'), '--key', file('stranger.pem'));

    expect([without.exitCode, none.exitCode, absent.exitCode, stranger.exitCode]).toEqual([2, 2, 1, 7]);
    expect(without.stderr).toContain('flux receipt keys > keys.pem');
    expect(failing(stranger)).toEqual(['signature']);
  });

  it('are checked by anybody with the commands of docs/receipts.md', async ({ skip }) => {
    const tools = await Promise.all(
      [run('python3', ['--version']), run('openssl', ['version'])].map((tool) => tool.catch(() => undefined)),
    );
    if (tools.some((tool) => tool?.exitCode !== 0)) skip('python3 or openssl is not here');
    copyFileSync(file('first.json'), file('bloom.receipt.json'));
    copyFileSync(file('old.pem'), file('keys.pem'));
    const recipe = [...readFileSync(join(ROOT, 'docs/receipts.md'), 'utf8').matchAll(/```sh\n(.*?)```/gs)]
      .map(([, text]) => text)
      .join('\n');
    const follow = () => run('bash', ['-e', '-o', 'pipefail', '-c', recipe], { cwd: flux.folder });

    const good = await follow();
    expect(good.stderr).toBe('');
    expect(good.stdout).toBe('Signature Verified Successfully\nbloom.dump: OK\n');

    copyFileSync(file('stranger.pem'), file('keys.pem'));
    const stranger = await follow();
    expect(stranger.exitCode).not.toBe(0);
    expect(stranger.stdout).toContain('Signature Verification Failure');
  });

  it('follow each other, and say failed when the artifact has rotted', async () => {
    const { backups } = JSON.parse(await well('backup', 'list', ...project.flags, '--json'));
    const artifact = join(flux.dataFolder, 'backups', backups[0].primaryArtifactRelativePath);
    const good = readFileSync(artifact);
    copyFileSync(file('other.dump'), artifact);
    try {
      expect((await flux.flux('backup', 'verify', ...project.flags, '--latest')).exitCode).toBe(7);
    } finally {
      writeFileSync(artifact, good);
    }
    await well('backup', 'receipt', ...project.flags, '--id', backups[0].id, '-o', file('second.json'));
    const trusted = ['--key', file('old.pem')];

    const failed = await checked(file('second.json'), ...trusted, '--artifact', file('other.dump'), '--previous', file('first.json'));
    const aboutGood = await checked(file('second.json'), ...trusted, '--artifact', file('bloom.dump'));
    const backwards = await checked(file('first.json'), ...trusted, '--previous', file('second.json'));

    expect(failed).toMatchObject({ exitCode: 7, holds: true, statement: { predicate: { verdict: 'failed', sequence: 2 } } });
    expect([failing(aboutGood), failing(backwards)]).toEqual([['artifact'], ['chain']]);
    const chain = (await (await flux.api(`/projects/${project.hash}/receipts`)).json()) as { receipts: { verdict: string }[] };
    expect(chain.receipts.map(({ verdict }) => verdict)).toEqual(['failed', 'restorable']);
  });

  it('are signed by the new key after a rotation, and the old ones are still checked with the old key', async () => {
    const token = (await well('token', 'create', 'ci', '--access', 'write')).trim();
    const refused = await flux.fluxWith({ env: { FLUX_API_TOKEN: token } }, 'receipt', 'rotate-key');
    expect(refused.exitCode).toBe(5);

    await well('receipt', 'rotate-key');
    writeFileSync(file('all.json'), await well('receipt', 'keys', '--json'));
    const [active, retired] = readJson('all.json').keys as { pem: string; kid: string; retiredAt: string | null }[];
    writeFileSync(file('new.pem'), active?.pem ?? '');
    await well('backup', 'verify', ...project.flags, '--latest');
    await well('backup', 'receipt', ...project.flags, '--latest', '-o', file('third.json'));

    expect(retired?.retiredAt).not.toBeNull();
    expect(await checked(file('first.json'), '--key', file('old.pem'))).toMatchObject({ exitCode: 0, keyId: retired?.kid });
    expect(await checked(file('third.json'), '--key', file('new.pem'))).toMatchObject({ exitCode: 0, keyId: active?.kid });
    expect((await checked(file('third.json'), '--key', file('old.pem'))).exitCode).toBe(7);
    expect((await checked(file('first.json'), '--key', file('new.pem'))).exitCode).toBe(7);
    const across = await checked(file('third.json'), '--key', file('all.json'), '--previous', file('second.json'));
    expect(across).toMatchObject({ exitCode: 0, holds: true, statement: { predicate: { sequence: 3 } } });
  });

  it('are signed by keys that anybody can read without a token', async () => {
    const published = await fetch(`${flux.url}/.well-known/flux-receipt-keys.json`);

    expect(published.status).toBe(200);
    expect(published.headers.get('content-type')).toContain('application/jwk-set+json');
    expect(await published.json()).toEqual(readJson('all.json'));
    expect(JSON.stringify(readJson('all.json'))).not.toMatch(/PRIVATE|"d":/);
    expect((await fetch(`${flux.url}/api/cli/v1/keys`)).status).toBe(401);
  });
});
