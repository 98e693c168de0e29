import { chmodSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { needsSandbox } from '../../../../acceptance/harness/sandbox.ts';
import { resolveAccount } from '../../src/system/account.ts';
import { runProcess } from '../../src/system/process.ts';

/** Everybody may write there, unless a mount says otherwise; noexec must survive, and so must what the kernel locks. */
const OPEN = 'mode=1777,nosuid';
/**
 * Mounts below /usr, as drivers, package stores and volumes of containers make them: a folder, one in it with a name that
 * needs care, a file, one on top of another with less allowed, and one that is hidden by another on a folder above it.
 */
const MOUNTS = `
  mount -t tmpfs -o ${OPEN},noexec outer /usr/src
  mkdir -m 1777 '/usr/src/a b\\c' /usr/src/plain
  mount -t tmpfs -o ${OPEN},nodev,noatime inner '/usr/src/a b\\c'
  : > /usr/src/file; chmod 666 /usr/src/file
  echo below > /usr/src/other; chmod 666 /usr/src/other
  mount --bind /usr/src/other /usr/src/file
  mount -t tmpfs -o ${OPEN} lower /usr/games
  mount -t tmpfs -o ${OPEN},noexec,nodev upper /usr/games
  mkdir -p /usr/src/plain/deep/er
  mount -t tmpfs -o ${OPEN} hidden /usr/src/plain/deep/er
  mount -t tmpfs -o ${OPEN} hiding /usr/src/plain/deep`;
const FOLDERS = ['/usr/src', '/usr/src/a b\\c', '/usr/src/plain', '/usr/src/plain/deep', '/usr/games'];

const href = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
const scaffold = mkdtempSync(join(tmpdir(), 'flux-mounts-'));
chmodSync(scaffold, 0o755);
// Everything in it is in mounts of their own, which this process never sees.
afterAll(() => rmdirSync(scaffold));

/** Runs a script in a sandbox on a host that has the mounts; what it prints. */
async function runAmongMounts(kind: string, script: string): Promise<string> {
  const account = await resolveAccount(undefined);
  return runOnHost(
    MOUNTS,
    [],
    `
    import { chooseSandbox, describePaths } from ${href('instances/sandbox/sandbox.ts')};
    import { runProcess } from ${href('system/process.ts')};
    const options = ${JSON.stringify({ wanted: kind, account, scaffold })};
    const sandbox = await chooseSandbox(options);
    const { command, args } = sandbox.enter({
      network: 'none', life: 'with-parent',
      systemPaths: await describePaths(['/usr', '/lib', '/lib32', '/lib64', '/bin', '/sbin', '/etc/ld.so.cache']),
      binds: [], memoryFolders: [{ target: '/tmp', bytes: 1 << 20 }], scaffold: options.scaffold, script: ${JSON.stringify(script)}, args: [],
    });
    const ended = await runProcess(command, args, { account: options.account });
    process.stdout.write(ended.stdout + ended.stderr);`,
  );
}

/** Changes what the host looks like, in a mount namespace that ends with the program, and runs it; what it prints. */
async function runOnHost(changes: string, wrapper: readonly string[], program: string): Promise<string> {
  // An ordinary user may mount as root of a user namespace.
  const isRoot = process.getuid?.() === 0;
  const asMounter = isRoot ? [] : ['--user', '--map-root-user'];
  const asBefore = isRoot ? [] : ['unshare', '--user', '--map-user=1000', '--map-group=1000'];
  const host = ['sh', '-c', `set -e\n${changes}\nexec "$@"`, 'sh', ...wrapper, ...asBefore];
  const node = [process.execPath, '--input-type=module', '-e', program];
  const ended = await runProcess('unshare', [...asMounter, '--mount', '--propagation', 'private', ...host, ...node]);
  expect(ended.stderr).toBe('');
  return ended.stdout.trim();
}

describe('on a host with mounts below /usr, bubblewrap', await needsSandbox('bubblewrap'), () => testMounts('bubblewrap'));
describe('on a host with mounts below /usr, unshare', await needsSandbox('unshare'), () => testMounts('unshare'));

function testMounts(kind: 'bubblewrap' | 'unshare'): void {
  it('shows them, and lets nobody write on any of them', async () => {
    const tries = FOLDERS.map((folder) => `(: > '${folder}/written') 2>/dev/null && echo '${folder} was written'`);
    const script = `${tries.join('\n')}
      (echo more >> /usr/src/file) 2>/dev/null && echo 'the file was written'
      cat /usr/src/file
      ls -d '/usr/src/a b\\c' /usr/src/plain/deep
      mount -o remount,bind,rw /usr/src 2>/dev/null && echo remounted
      umount /usr/games 2>/dev/null && echo unmounted
      ls -A /usr/games | wc -l`;
    expect((await runAmongMounts(kind, script)).split('\n')).toEqual(['below', '/usr/src/a b\\c', '/usr/src/plain/deep', '0']);
  });

  it('keeps what each of them forbids, and adds what the sandbox forbids', async () => {
    const mountinfo = await runAmongMounts(kind, 'cat /proc/self/mountinfo');
    const mounts = mountinfo.split('\n').map((line) => line.split(' '));
    const optionsOf = (source: string) =>
      mounts.filter((fields) => fields.at(-2) === source).map((fields) => (fields[5] ?? '').split(',')) as string[][];
    for (const [source, kept] of Object.entries({ outer: ['noexec'], inner: ['noatime'], upper: ['noexec'], hiding: [] })) {
      expect(optionsOf(source).length, source).toBeGreaterThan(0);
      for (const options of optionsOf(source)) expect(options, source).toEqual(expect.arrayContaining(['ro', 'nosuid', 'nodev', ...kept]));
    }
  });
}

describe('in a chroot', await needsSandbox('unshare'), () => {
  it.runIf(process.getuid?.() === 0)('no sandbox can be made, and it is said why', async () => {
    const account = await resolveAccount(undefined);
    const said = await runOnHost(
      `mount -t tmpfs roots '${scaffold}'
       mkdir '${scaffold}/root'
       cd '${scaffold}/root'
       for path in /*; do
         if test -h "$path"; then cp -P "$path" .; elif test -d "$path"; then mkdir ".$path"; mount --rbind "$path" ".$path"; fi
       done`,
      ['chroot', '.'],
      `
      import { chooseSandbox } from ${href('instances/sandbox/sandbox.ts')};
      const options = ${JSON.stringify({ wanted: 'auto', account, scaffold: '/tmp' })};
      await chooseSandbox(options).catch((error) => console.log(error.code, error.message, error.hint));`,
    );
    expect(said).toMatch(/^sandbox_unavailable No sandbox for restores works on this host \(bubblewrap: .*; unshare: .*\)\. /s);
    expect(said).toContain('Flux runs in a chroot, where the kernel does not allow user namespaces.');
  });
});
