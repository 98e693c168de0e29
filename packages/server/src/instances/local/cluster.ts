import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FluxError } from '@flux/contract/errors';
import { renderConfigFile } from '../../postgres/server-settings.ts';
import type { PostgresTools } from '../../postgres/target.ts';
import { writeFileAtomically } from '../../system/atomic-file.ts';
import { type Account, type ProcessResult, runProcess } from '../../system/process.ts';
import { type InstanceFolders, makeAccountFolder, makeOpenFolder } from '../folders.ts';
import { SUPERUSER } from '../names.ts';
import type { InstanceRecord } from '../record.ts';
import { instanceSettings } from '../settings.ts';

/**
 * Creates the data folder of an instance with initdb: checksums on, password required from the first start.
 *
 * A copy of a prepared folder would save about a third of a second once in the life of a project, and give all of them
 * the same system identifier, by which Postgres tells WAL of different servers apart.
 *
 * @throws FluxError `volume_full`, `instance_unavailable`
 */
export async function makeCluster(
  folders: InstanceFolders,
  tools: PostgresTools,
  account: Account | undefined,
  password: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  await makeOpenFolder(folders.root);
  await mkdir(dirname(folders.log), { mode: 0o700 });
  await makeAccountFolder(folders.data, account);
  const passwordFile = join(folders.root, '.password');
  try {
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' });
    if (account !== undefined) await chown(passwordFile, account.uid, account.gid);
    const args = ['--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--data-checksums'];
    await runInitdb(tools, folders.data, args, account, signal);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** Runs initdb with the settings that all our servers share. @throws FluxError `volume_full`, `instance_unavailable` */
export async function runInitdb(
  tools: PostgresTools,
  dataFolder: string,
  args: readonly string[],
  account: Account | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const run = (locale: string) =>
    runProcess(tools.initdb as string, ['-D', dataFolder, `--username=${SUPERUSER}`, '--encoding=UTF8', `--locale=${locale}`, ...args], {
      account,
      signal,
    });
  let result = await run('C.UTF-8');
  // Older systems have no C.UTF-8; plain C sorts the same way and only lacks case conversion for non-ASCII letters.
  if (result.exitCode !== 0 && /locale/i.test(result.stderr)) result = await run('C');
  signal?.throwIfAborted();
  if (result.exitCode !== 0) throw initdbError(result);
}

function initdbError(result: ProcessResult): FluxError {
  const words = result.stderr.trim().split('\n').slice(-5).join('\n');
  if (/No space left on device|Disk quota exceeded/.test(result.stderr))
    return new FluxError('volume_full', 'There is no space left for a new Postgres instance.', {
      hint: 'Free space in the data folder, then try again.',
    });
  return new FluxError('instance_unavailable', `initdb ended with ${result.signal ?? `status ${result.exitCode}`}: ${words}`);
}

/** Rewrites the settings of a server, so that a newer Flux applies its own to an older instance. */
export async function writeConfig(folders: InstanceFolders, record: InstanceRecord): Promise<void> {
  const settings = {
    data_directory: folders.data,
    hba_file: folders.access,
    port: String(record.port ?? 5432),
    ...instanceSettings(record.spec, { tcpAddresses: '127.0.0.1', socketFolder: folders.socket, socketMode: '0700' }),
  };
  await makeOpenFolder(folders.settings);
  await writeReadable(folders.config, `# Written by Flux at each start; changes here are lost.\n${renderConfigFile(settings)}`);
  await writeReadable(
    folders.access,
    ['# Written by Flux at each start.', 'local all all scram-sha-256', 'host all all 127.0.0.1/32 scram-sha-256', ''].join('\n'),
  );
}

/** The server reads these as its account, and must not be able to change them; they contain nothing secret. */
async function writeReadable(path: string, content: string): Promise<void> {
  await writeFileAtomically(path, content, 0o644);
  // The umask of the parent process may have removed the bits.
  await chmod(path, 0o644);
}
