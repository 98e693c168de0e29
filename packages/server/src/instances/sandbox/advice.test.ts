import { describe, expect, it } from 'vitest';
import { adviseOnSandbox, type HostFacts } from './advice.ts';

const PLAIN: HostFacts = { container: undefined, isChroot: false, forbiddenBy: [], hasBubblewrap: true };

describe('advice for a host without a sandbox', () => {
  it.each<[string, Partial<HostFacts>, RegExp]>([
    ['a Docker container', { container: 'docker' }, /--security-opt seccomp=unconfined .*systempaths=unconfined.*FLUX_RUNTIME=docker/],
    ['a Podman container', { container: 'podman' }, /Podman.*--security-opt unmask=ALL/],
    ['a pod', { container: 'kubernetes' }, /hostUsers: false.*procMount: Unmasked/],
    ['another container', { container: 'other' }, /security\.nesting=true/],
    ['a chroot', { isChroot: true }, /chroot, where the kernel does not allow user namespaces/],
    ['a limit of none', { forbiddenBy: ['user.max_user_namespaces'] }, /`sysctl -w user\.max_user_namespaces=15000`/],
    ['a kernel of Debian that says no', { forbiddenBy: ['kernel.unprivileged_userns_clone'] }, /kernel\.unprivileged_userns_clone=1`/],
    ['AppArmor', { forbiddenBy: ['kernel.apparmor_restrict_unprivileged_userns'] }, /apparmor_restrict_unprivileged_userns=0`/],
    ['nothing that is known', {}, /`unshare --user true` has to work/],
  ])('says what helps with %s', (_name, facts, expected) => {
    const { hint } = adviseOnSandbox({ ...PLAIN, ...facts });
    expect(hint).toMatch(expected);
    expect(hint).toMatch(/FLUX_VERIFY_SANDBOX=off runs restores without isolation; use it only with trusted data\.$/);
    expect(hint).not.toContain('apt-get install');
  });

  it.each<[boolean, string, Partial<HostFacts>]>([
    [true, 'nothing that is known stands in the way', {}],
    [true, 'AppArmor, which lets bubblewrap through, stands in the way', { forbiddenBy: ['kernel.apparmor_restrict_unprivileged_userns'] }],
    [false, 'the kernel refuses everybody', { forbiddenBy: ['user.max_user_namespaces'] }],
    [false, 'it is a chroot', { isChroot: true }],
    [false, 'a container forbids it', { container: 'docker' }],
    [false, 'it is installed', { hasBubblewrap: true }],
  ])('answers %s to whether bubblewrap may help, where %s', (expected, _name, facts) => {
    const { hint, bubblewrapMayHelp } = adviseOnSandbox({ ...PLAIN, hasBubblewrap: false, ...facts });
    expect(bubblewrapMayHelp).toBe(expected);
    expect(hint.includes('`apt-get install bubblewrap`')).toBe(expected);
  });
});
