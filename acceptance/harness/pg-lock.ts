import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { findClient } from './postgres.ts';

/** A lock that a session of its own holds. Whatever needs it waits: a middle of some work that lasts as long as a test wants. */
export interface HeldLock extends AsyncDisposable {
  /** Lets go; what waited goes on. */
  release(): Promise<void>;
}

/** Locks a table, so that nobody else can read it; resolves when the lock is held. */
export function lockTable(uri: string, table: string): Promise<HeldLock> {
  return holdLock(uri, `lock table ${table} in access exclusive mode`);
}

/** Runs a statement that takes locks in a transaction that stays open; resolves when it has run. */
export async function holdLock(uri: string, statement: string): Promise<HeldLock> {
  const psql = spawn(join(findClient(), 'psql'), ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', uri], {
    stdio: 'pipe',
  });
  let problem = '';
  psql.stderr.setEncoding('utf8').on('data', (text) => {
    problem += text;
  });
  const ended = new Promise<void>((resolve) => psql.once('exit', () => resolve()));
  // The server may have been stopped, and psql with it.
  psql.stdin.on('error', () => undefined);
  const isHeld = new Promise<void>((resolve, reject) => {
    psql.stdout.once('data', () => resolve());
    psql.once('exit', (code) => reject(new Error(`psql ended with ${code} before it held: ${statement}\n${problem}`)));
  });
  psql.stdin.write(`begin; ${statement}; select 'held';\n`);
  await isHeld;
  const release = async () => {
    psql.stdin.end('rollback;\n');
    await ended;
  };
  return { release, [Symbol.asyncDispose]: release };
}
