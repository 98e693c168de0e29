import { access, readFile, stat } from 'node:fs/promises';

/** Facts about a host that explain why no sandbox can be created on it. */
export interface HostFacts {
  readonly container: 'docker' | 'podman' | 'kubernetes' | 'other' | undefined;
  readonly isChroot: boolean;
  /** Kernel settings that forbid user namespaces for some or all accounts. */
  readonly forbiddenBy: readonly ForbiddingSetting[];
  readonly hasBubblewrap: boolean;
}

/** What to do about a host without a sandbox. */
export interface SandboxAdvice {
  readonly hint: string;
  /** False when bubblewrap is installed, or would be blocked for the same reason. */
  readonly bubblewrapMayHelp: boolean;
}

const FORBIDDING = {
  'user.max_user_namespaces': { path: '/proc/sys/user/max_user_namespaces', forbids: '0', allows: '15000' },
  'kernel.unprivileged_userns_clone': { path: '/proc/sys/kernel/unprivileged_userns_clone', forbids: '0', allows: '1' },
  'kernel.apparmor_restrict_unprivileged_userns': {
    path: '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
    forbids: '1',
    allows: '0',
  },
} as const;
export type ForbiddingSetting = keyof typeof FORBIDDING;

const CONTAINERS: Readonly<Record<NonNullable<HostFacts['container']>, string>> = {
  docker:
    'This is a Docker container, and by default Docker forbids what a sandbox needs. Start it with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined`, or run Flux on the host with FLUX_RUNTIME=docker.',
  podman:
    'This is a Podman container, and by default Podman forbids what a sandbox needs. Start it with `--security-opt seccomp=unconfined --security-opt unmask=ALL --security-opt label=disable`.',
  kubernetes:
    'This is a Kubernetes container, and its defaults forbid what a sandbox needs. Give the pod `hostUsers: false` and the container `securityContext: {procMount: Unmasked, seccompProfile: {type: Unconfined}, appArmorProfile: {type: Unconfined}}`.',
  other:
    'This is a container; allow it to create user namespaces and to mount /proc in them (for LXC: `security.nesting=true`, for systemd-nspawn: `--private-users`).',
};
const CHROOT =
  'Flux runs in a chroot, where the kernel does not allow user namespaces. Enter that root as a container does (pivot_root, systemd-nspawn), or run Flux outside of it.';
const OTHERWISE = 'Allow ordinary users to create user namespaces: `unshare --user true` has to work for the account that runs Postgres.';
const INSTALL = 'Install bubblewrap: `apt-get install bubblewrap`.';
const OFF = 'FLUX_VERIFY_SANDBOX=off runs restores without isolation; use it only with trusted data.';

/**
 * What to do on a host with these facts: the most specific known cause, and its remedy.
 *
 * @param off a sentence about the setting that does without
 */
export function adviseOnSandbox({ container, isChroot, forbiddenBy, hasBubblewrap }: HostFacts, off = OFF): SandboxAdvice {
  const switches = forbiddenBy.map((name) => `\`sysctl -w ${name}=${FORBIDDING[name].allows}\``);
  const causes = [
    ...(isChroot ? [CHROOT] : []),
    ...(container === undefined ? [] : [CONTAINERS[container]]),
    ...(switches.length === 0
      ? []
      : [`The kernel is configured to refuse user namespaces; root can allow them with ${switches.join(' and ')}.`]),
  ];
  // Distributions that restrict user namespaces with AppArmor allow them for bubblewrap.
  const isHopeless = isChroot || container !== undefined || forbiddenBy.some((name) => !name.includes('apparmor'));
  const bubblewrapMayHelp = !hasBubblewrap && !isHopeless;
  const sentences = [...(bubblewrapMayHelp ? [INSTALL] : []), ...(causes.length === 0 ? [OTHERWISE] : causes), off];
  return { hint: sentences.join(' '), bubblewrapMayHelp };
}

/** Reads the facts of this host. What cannot be read counts as absent, since this only selects a message. */
export async function readHostFacts(): Promise<HostFacts> {
  const names = Object.keys(FORBIDDING) as ForbiddingSetting[];
  const settings = await Promise.all(names.map((name) => read(FORBIDDING[name].path)));
  return {
    container: await findContainer(),
    isChroot: await isInChroot(),
    forbiddenBy: names.filter((name, index) => settings[index]?.trim() === FORBIDDING[name].forbids),
    hasBubblewrap: await existsOneOf('/usr/bin/bwrap', '/bin/bwrap', '/usr/local/bin/bwrap'),
  };
}

async function findContainer(): Promise<HostFacts['container']> {
  const [groups = '', hosts = ''] = await Promise.all(['/proc/self/cgroup', '/etc/hosts'].map(read));
  if (hosts.startsWith('# Kubernetes-managed') || groups.includes('kubepods')) return 'kubernetes';
  if ((await existsOneOf('/run/.containerenv')) || groups.includes('libpod')) return 'podman';
  if ((await existsOneOf('/.dockerenv')) || groups.includes('/docker')) return 'docker';
  return (await existsOneOf('/run/systemd/container')) || /\/(lxc|containerd)\b/.test(groups) ? 'other' : undefined;
}

/** Root can compare its root folder with that of the first process; everybody can see that nothing is mounted at `/`. */
async function isInChroot(): Promise<boolean> {
  const [own, first] = await Promise.all(['/', '/proc/1/root/.'].map((path) => stat(path).catch(() => undefined)));
  if (own !== undefined && first !== undefined && (own.ino !== first.ino || own.dev !== first.dev)) return true;
  const mounts = await read('/proc/self/mountinfo');
  return mounts !== undefined && !mounts.split('\n').some((line) => line.split(' ')[4] === '/');
}

function read(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

async function existsOneOf(...paths: readonly string[]): Promise<boolean> {
  const there = await Promise.all(
    paths.map((path) =>
      access(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  return there.includes(true);
}
