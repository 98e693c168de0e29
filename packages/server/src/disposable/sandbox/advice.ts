import { access, readFile, stat } from 'node:fs/promises';

/** What is known of a host about why it may refuse to make a sandbox. */
export interface HostFacts {
  readonly container: 'docker' | 'podman' | 'kubernetes' | 'other' | undefined;
  readonly isChroot: boolean;
  /** Each a switch of the kernel that forbids user namespaces to some or all. */
  readonly forbiddenBy: readonly ForbiddingSetting[];
  readonly hasBubblewrap: boolean;
}

/** What to do about a host without a sandbox. */
export interface SandboxAdvice {
  readonly hint: string;
  /** False when bubblewrap is here, or when what stands in the way stands in its way too. */
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
    'This is a Docker container, and Docker forbids by default what a sandbox needs. Start it with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined`, or run Flux on the host with FLUX_RUNTIME=docker.',
  podman:
    'This is a Podman container, and Podman forbids by default what a sandbox needs. Start it with `--security-opt seccomp=unconfined --security-opt unmask=ALL --security-opt label=disable`.',
  kubernetes:
    'This is a container of Kubernetes, and its defaults forbid what a sandbox needs. Give the pod `hostUsers: false` and the container `securityContext: {procMount: Unmasked, seccompProfile: {type: Unconfined}, appArmorProfile: {type: Unconfined}}`.',
  other:
    'This is a container; let it make user namespaces and mount /proc in them (for LXC: `security.nesting=true`, for systemd-nspawn: `--private-users`).',
};
const CHROOT =
  'Flux runs in a chroot, where the kernel refuses user namespaces to everybody. Enter that root as a container does (pivot_root, systemd-nspawn), or run Flux outside of it.';
const OTHERWISE = 'Let ordinary users make user namespaces: `unshare --user true` has to work for the account that runs Postgres.';
const INSTALL = 'Install bubblewrap: `apt-get install bubblewrap`.';
const OFF = 'FLUX_VERIFY_SANDBOX=off runs restores without isolation and is for trusted data only.';

/** The sentences that help on a host with these facts: the narrowest cause that is known, and what takes it away. */
export function adviseOnSandbox({ container, isChroot, forbiddenBy, hasBubblewrap }: HostFacts): SandboxAdvice {
  const switches = forbiddenBy.map((name) => `\`sysctl -w ${name}=${FORBIDDING[name].allows}\``);
  const causes = [
    ...(isChroot ? [CHROOT] : []),
    ...(container === undefined ? [] : [CONTAINERS[container]]),
    ...(switches.length === 0 ? [] : [`The kernel is set to refuse user namespaces; root allows them with ${switches.join(' and ')}.`]),
  ];
  // Distributions that hold user namespaces back by AppArmor let bubblewrap have them.
  const isHopeless = isChroot || container !== undefined || forbiddenBy.some((name) => !name.includes('apparmor'));
  const bubblewrapMayHelp = !hasBubblewrap && !isHopeless;
  const sentences = [...(bubblewrapMayHelp ? [INSTALL] : []), ...(causes.length === 0 ? [OTHERWISE] : causes), OFF];
  return { hint: sentences.join(' '), bubblewrapMayHelp };
}

/** Reads the facts of this host. What cannot be read is taken for absent: this only chooses between sentences. */
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

/** Root can compare its own root with that of the first process; anybody can see that no mount is at `/`. */
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
