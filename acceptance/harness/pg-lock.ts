import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { findClient } from './postgres.ts';

/** A table that is locked against reading: a dump of it waits until the test releases the lock. */
export interface HeldTable extends AsyncDisposable {
  /** Releases the lock; waiting sessions continue. */
  release(): Promise<void>;
}

/** Locks a table in a separate session; resolves when the lock is held. */
export async function lockTable(uri: string, table: string): Promise<HeldTable> {
  const psql = spawn(join(findClient(), 'psql'), ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', uri], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => psql.once('exit', () => resolve()));
  const isLocked = new Promise<void>((resolve, reject) => {
    psql.stdout.once('data', () => resolve());
    psql.once('exit', (code) => reject(new Error(`psql ended with ${code} before it held ${table}`)));
  });
  psql.stdin.write(`begin; lock table ${table} in access exclusive mode; select 'locked';\n`);
  await isLocked;
  const release = async () => {
    psql.stdin.end('rollback;\n');
    await ended;
  };
  return { release, [Symbol.asyncDispose]: release };
}
