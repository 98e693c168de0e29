import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from '../../harness/flux.ts';
import { psql } from '../../harness/postgres.ts';
import type { Storm } from './told.ts';

const PAUSE_MS = 50;
const MOVED_ROWS = 500;
const TRIES = 5;

/** What a project of one client has: the number that was written last, or no table, as after a reset. */
type State = string;
const EMPTY: State = 'empty';

/**
 * A client that restores its project in place, undoes that, resets it and undoes that as well. Nobody else works on it, so that after each
 * command it knows what must be there: after one that was not acknowledged, what was there before or what is there after it.
 */
export function startRestorer(storm: Storm, project: TestProject): Promise<unknown> {
  const { slug, hash, uri, flags } = project;
  const { flux, told, run } = storm;
  let state: State = EMPTY;
  const look = async (): Promise<State | undefined> => {
    const isThere = await storm.read(uri, `select to_regclass('state') is not null`);
    return isThere === 'f' ? EMPTY : isThere && (await storm.read(uri, 'select max(n) from state'));
  };
  /** Tries to change the state until that is so, or the storm is over; `again` comes before each further try. */
  const change = async (what: string, after: State, work: () => Promise<boolean>, again?: () => Promise<unknown>): Promise<boolean> => {
    for (let tries = 0; state !== after; tries++) {
      if (storm.isOver()) return false;
      if (tries > 0) await again?.();
      const isWell = await work();
      await storm.settle(hash);
      const seen = (await look()) ?? 'unreadable';
      const allowed = isWell ? [after] : [state, after];
      if (!allowed.includes(seen))
        told.lies.push(`${what} of ${slug} was ${isWell ? '' : 'not '}acknowledged: ${seen} is there, not ${allowed.join(' or ')}`);
      state = seen;
    }
    return true;
  };
  const write = (n: number) =>
    change('a write', String(n), () =>
      psql(uri, `insert into state values (${n})`).then(
        () => true,
        () => false,
      ),
    );
  const restore = (...args: string[]) => ['backup', 'restore', ...flags, ...args, '--yes'] as const;
  /** Its id. What destroys needs a proven backup as the newest, and a try that failed may have left one that is not. */
  const backUp = async (): Promise<string | undefined> => {
    while (!storm.isOver()) {
      const made = await storm.ask('create and verify', 'backup', 'create', ...flags, '--verify', '--json');
      if (made?.exitCode === 0) return (JSON.parse(made.stdout) as { backup: { id: string } }).backup.id;
    }
    return undefined;
  };
  const prepare = (round: number) => {
    const path = join(flux.folder, `${slug}-${round}.sql`);
    writeFileSync(path, 'create table state (n int primary key); insert into state values (0);');
    return change('a push', '0', () => run('push', 'push', path, ...flags));
  };

  return storm.repeat(PAUSE_MS, async (round) => {
    if (state === EMPTY && !(await prepare(round))) return;
    const [backedUp, written] = [2 * round - 1, 2 * round];
    if (!(await write(backedUp))) return;
    const id = await backUp();
    if (id === undefined || !(await write(written))) return;
    const inPlace = () => run('restore in place', ...restore('--id', id, '--in-place'));
    if (!(await change('a restore in place', String(backedUp), inPlace, backUp))) return;
    if (!(await change('an undo', String(written), () => run('undo of a restore', ...restore('--undo'))))) return;
    const reset = () => run('reset', 'project', 'reset', slug, '--hash', hash, '--yes');
    if (!(await change('a reset', EMPTY, reset, backUp))) return;
    await change('an undo', String(written), () => run('undo of a reset', ...restore('--undo')));
  });
}

/** A client that moves one pooled project after the other to a server of its own. Acknowledged or not, all rows are where it is now. */
export function startMover(storm: Storm): Promise<unknown> {
  const { flux, told, run } = storm;
  return storm.repeat(PAUSE_MS, async (round) => {
    const slug = `storm-move-${round}`;
    const made = await storm.ask('create project', 'create', slug, '--mode', 'v2_shared', '--json');
    if (made?.exitCode !== 0) return;
    const { hash } = (JSON.parse(made.stdout) as { summary: { hash: string } }).summary;
    const flags = ['--project', slug, '--hash', hash];
    const path = join(flux.folder, `${slug}.sql`);
    writeFileSync(path, `create table moved as select i from generate_series(1, ${MOVED_ROWS}) i;`);
    if (!(await run('push', 'push', path, ...flags))) return;
    const more = round % 2 === 0 ? ['--drop-source-after'] : [];
    let isMoved = false;
    for (let tries = 0; tries < TRIES && !isMoved && !storm.isOver(); tries++) {
      isMoved = await run('migrate', 'migrate', ...flags, '--to', 'v1_dedicated', ...more, '--yes');
      await storm.settle(hash);
    }
    const uri = await credentialsOf(storm, slug, hash);
    const rows = uri === undefined ? undefined : await storm.read(uri, 'select count(*), sum(i) from moved');
    const wanted = `${MOVED_ROWS}|${(MOVED_ROWS * (MOVED_ROWS + 1)) / 2}`;
    const words = `${slug}, whose migration was ${isMoved ? '' : 'not '}acknowledged`;
    if (rows !== wanted) told.lies.push(`${words}, has ${rows ?? 'no answer'} instead of ${wanted}`);
    if (isMoved && uri?.includes('/flux_shared')) told.lies.push(`${words}, is in the pool`);
    for (let tries = 0; tries < TRIES && !storm.isOver(); tries++)
      if (await run('nuke', 'nuke', slug, '--hash', hash, '--skip-backup-check', '--reason', 'storm', '--yes')) return;
  });
}

async function credentialsOf({ flux, settle }: Storm, slug: string, hash: string): Promise<string | undefined> {
  for (let tries = 0; tries < 20; tries++) {
    const { exitCode, stdout } = await flux.flux('project', 'credentials', slug, '--hash', hash, '--field', 'postgres.url');
    if (exitCode === 0) return stdout.trim();
    await settle(hash);
  }
  return undefined;
}
