import { readFile } from 'node:fs/promises';
import { FluxError } from '@flux/contract/errors';
import { type Account, runProcess } from './process.ts';

const DEFAULT_NAME = 'postgres';

/**
 * Finds the unprivileged account that Postgres programs run as.
 *
 * Postgres refuses to run as root, so a control plane that runs as root needs one. Otherwise the result is undefined: everything runs
 * as the current account.
 *
 * @param name account to use when running as root; by default `postgres`
 * @throws FluxError `config_invalid` when the account does not exist or is root itself
 */
export async function resolveAccount(name: string | undefined): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const wanted = name ?? DEFAULT_NAME;
  if (!/^[a-z_][a-z0-9_.-]*\$?$/i.test(wanted))
    throw new FluxError('config_invalid', `${JSON.stringify(wanted)} is not the name of an account.`, {
      hint: 'Set FLUX_POSTGRES_ACCOUNT to the name of an ordinary account, for example postgres.',
    });
  const line = await accountLine(wanted);
  if (line === undefined)
    throw new FluxError('config_invalid', `There is no account "${wanted}", and Postgres does not run as root.`, {
      hint: `Create it with \`useradd --system --user-group --no-create-home ${wanted}\`, or start the control plane as an ordinary user.`,
    });
  const account = parseAccountLine(line);
  if (account === undefined)
    throw new FluxError('config_invalid', `The entry of the account "${wanted}" in the list of accounts cannot be read.`);
  if (account.uid === 0)
    throw new FluxError('config_invalid', `The account "${wanted}" is root, and Postgres does not run as root.`, {
      hint: 'Set FLUX_POSTGRES_ACCOUNT to the name of an ordinary account, for example postgres.',
    });
  return account;
}

/** Reads one line of passwd(5): `name:password:uid:gid:...`. Undefined when it is not one. */
export function parseAccountLine(line: string): Account | undefined {
  const [name, , uid, gid] = line.split(':');
  if (name === undefined || uid === undefined || gid === undefined || !/^\d+$/.test(uid) || !/^\d+$/.test(gid)) return undefined;
  return { name, uid: Number(uid), gid: Number(gid) };
}

async function accountLine(name: string): Promise<string | undefined> {
  const local = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const line = local.split('\n').find((entry) => entry.startsWith(`${name}:`));
  if (line !== undefined) return line;
  // Accounts of a directory service (LDAP, sssd) are in no file; getent(1) finds them.
  const asked = await runProcess('getent', ['passwd', name]).catch(() => undefined);
  return asked?.exitCode === 0 ? asked.stdout.split('\n')[0] : undefined;
}
