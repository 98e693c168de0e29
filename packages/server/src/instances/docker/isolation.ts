import type { ContainerCreateOptions, HostConfig } from 'dockerode';

/** What every container is denied: privileges, gaining new ones, writing to its image, shared memory of other containers. */
export function isolationOptions(): HostConfig {
  return {
    ReadonlyRootfs: true,
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges'],
    IpcMode: 'private',
    Privileged: false,
    // Only the control plane restarts a server, since it counts restarts.
    RestartPolicy: { Name: 'no' },
  };
}

/** A folder of the host in a container. A missing source is an error instead of a new folder owned by root. */
export function bind(source: string, target: string, access: 'read' | 'write'): NonNullable<HostConfig['Mounts']>[number] {
  return { Type: 'bind', Source: source, Target: target, ReadOnly: access === 'read', Consistency: 'default' };
}

/** A folder in memory. */
export function memoryFolder(bytes: number): string {
  return `rw,nosuid,nodev,size=${bytes},mode=1777`;
}

/** A shell script instead of the image's entry point, run as the account that owns Postgres's files in every image. */
export function script(text: string, args: readonly string[]): Pick<ContainerCreateOptions, 'Entrypoint' | 'Cmd' | 'User' | 'Tty'> {
  return { Entrypoint: ['/bin/sh', '-c', text, 'sh'], Cmd: [...args], User: 'postgres', Tty: false };
}
