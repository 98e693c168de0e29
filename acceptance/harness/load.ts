import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findClient } from './postgres.ts';
import { pause, run } from './process.ts';

/** Load that runs alongside a test and reconnects when its connections are cut, as the programs of users do. */
export interface Load {
  /** Stops it, and waits for running work. */
  stop(): Promise<void>;
}

/** Runs a script with pgbench until it is stopped; disconnected clients connect again. */
export function startPgbench(folder: string, uri: string, script: string, clients: number): Load {
  const path = join(folder, 'load.pgbench');
  writeFileSync(path, script);
  let child = 0;
  return repeat(
    async () => {
      const args = ['-n', '-f', path, '-c', String(clients), '-T', '600', uri];
      await run(join(findClient(), 'pgbench'), args, {
        onSpawn: (pid) => {
          child = pid;
        },
      });
      await pause(20);
    },
    () => {
      try {
        process.kill(child);
      } catch {
        // It was just disconnected and has not reconnected yet.
      }
    },
  );
}

/** A client that commits one row after the other and records those that the server acknowledged. */
export interface Witness extends Load {
  /** Every acknowledged row so far, oldest first. */
  acknowledged(): readonly string[];
}

/** Inserts unique words into a column, each with a separate connection and transaction. */
export function startWitness(uri: string, table: string, column: string): Witness {
  const words: string[] = [];
  let serial = 0;
  const load = repeat(
    async () => {
      const word = `witness-${++serial}`;
      const sql = `insert into ${table} (${column}) values ('${word}')`;
      const { exitCode } = await run(join(findClient(), 'psql'), ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', uri, '-c', sql]);
      if (exitCode === 0) words.push(word);
    },
    () => undefined,
  );
  return { ...load, acknowledged: () => words };
}

function repeat(work: () => Promise<void>, interrupt: () => void): Load {
  let isOver = false;
  const underway = (async () => {
    while (!isOver) await work();
  })();
  return {
    async stop() {
      isOver = true;
      interrupt();
      await underway;
    },
  };
}
