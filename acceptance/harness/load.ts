import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findClient } from './postgres.ts';
import { pause, run } from './process.ts';

/** Work that goes on beside what is tested; it survives being cut off, as the programs of users do. */
export interface Load {
  /** Ends it, and waits for what is under way. */
  stop(): Promise<void>;
}

/** Runs a script with pgbench until it is stopped; clients that are thrown out connect again. */
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
        // It was cut off a moment ago, and has not come back yet.
      }
    },
  );
}

/** A client that commits one row after the other and remembers what the server has acknowledged. */
export interface Witness extends Load {
  /** Every row that was acknowledged so far, as it was sent, oldest first. */
  acknowledged(): readonly string[];
}

/** Inserts words of its own into a column, each over a connection and in a transaction of its own. */
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
