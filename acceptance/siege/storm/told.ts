import type { Flux } from '../../harness/flux.ts';
import { psql } from '../../harness/postgres.ts';
import { type Ended, pause } from '../../harness/process.ts';
import { catalogUri } from '../../harness/superuser.ts';

/** What clients were told, to be compared with what is there afterwards. */
export interface Told {
  /** Numbers of pushes that were acknowledged, by project. */
  readonly pushes: Map<string, number[]>;
  /** Numbers of rows whose insert was acknowledged, by project. */
  readonly writes: Map<string, number[]>;
  /** What was acknowledged last of each imported backup, by its id. */
  readonly imports: Map<string, 'imported' | 'verified' | 'deleted' | 'unknown'>;
  /** What was found during the storm not to be as it was acknowledged, in a sentence each. */
  readonly lies: string[];
  /** How many commands of each kind ended well, and how many did not. */
  readonly ended: Map<string, { well: number; badly: number }>;
}

/** How clients work during the storm. */
export interface Storm {
  readonly flux: Flux;
  readonly told: Told;
  isOver(): boolean;
  /** Runs a command once the server is ready, and counts how it ended. It ends badly without being run once the storm is over. */
  run(what: string, ...args: string[]): Promise<boolean>;
  /** The same, with what it printed. */
  ask(what: string, ...args: string[]): Promise<Ended | undefined>;
  note(what: string, isWell: boolean): boolean;
  /** Works again and again until the storm is over. */
  repeat(pauseMs: number, work: (round: number) => Promise<unknown>): Promise<void>;
  /** Waits until no operation of a project is unfinished: a command that ended badly may have left one that goes on. */
  settle(hash: string): Promise<void>;
  /** The answer of a database, as soon as it gives one. Undefined when it gives none for two minutes. */
  read(uri: string, sql: string): Promise<string | undefined>;
}

const PATIENCE_MS = 120_000;

export function startStorm(flux: Flux, isOver: () => boolean): Storm {
  const told: Told = { pushes: new Map(), writes: new Map(), imports: new Map(), lies: [], ended: new Map() };
  const isReady = async () => (await fetch(`${flux.url}/readyz`).catch(() => undefined))?.status === 200;
  const note = (what: string, isWell: boolean) => {
    const counts = told.ended.get(what) ?? { well: 0, badly: 0 };
    counts[isWell ? 'well' : 'badly'] += 1;
    told.ended.set(what, counts);
    return isWell;
  };
  const ask = async (what: string, ...args: string[]) => {
    while (!isOver() && !(await isReady())) await pause(50);
    if (isOver()) return undefined;
    const ended = await flux.flux(...args);
    note(what, ended.exitCode === 0);
    return ended;
  };
  const read = async (uri: string, sql: string) => {
    for (const until = Date.now() + PATIENCE_MS; Date.now() < until; await pause(100)) {
      const answer = await psql(uri, sql).catch(() => undefined);
      if (answer !== undefined) return answer.trim();
    }
    return undefined;
  };
  return {
    flux,
    told,
    isOver,
    note,
    ask,
    read,
    run: async (what, ...args) => (await ask(what, ...args))?.exitCode === 0,
    repeat: async (pauseMs, work) => {
      for (let round = 1; !isOver(); round++) {
        await work(round);
        await pause(pauseMs);
      }
    },
    settle: async (hash) => {
      const unfinished = `select count(*) from operations o join projects p on p.id = o.project_id
        where p.hash = '${hash}' and o.state in ('queued', 'running')`;
      for (const until = Date.now() + PATIENCE_MS; Date.now() < until; await pause(100)) {
        if ((await isReady()) && (await psql(catalogUri(flux), unfinished).catch(() => undefined))?.trim() === '0') return;
      }
      told.lies.push(`an operation of ${hash} does not end`);
    },
  };
}
