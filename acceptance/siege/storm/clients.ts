import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Flux, TestProject } from '../../harness/flux.ts';
import { psql } from '../../harness/postgres.ts';
import { pause } from '../../harness/process.ts';

/** What clients were told, to be compared with what is there afterwards. */
export interface Told {
  /** Numbers of pushes that were acknowledged, by project. */
  readonly pushes: Map<string, number[]>;
  /** Numbers of rows whose insert was acknowledged, by project. */
  readonly writes: Map<string, number[]>;
  /** How many commands of each kind ended well, and how many did not. */
  readonly ended: Map<string, { well: number; badly: number }>;
}

export const PREPARE = `create table pushed (n int primary key); create table written (n int primary key);
  create table bulk as select i, md5(i::text) as a from generate_series(1, 20000) i;`;

/** Clients of one project that do all kinds of work until they are told to stop. */
export function startClients(flux: Flux, project: TestProject, told: Told, isOver: () => boolean): Promise<unknown> {
  const note = (what: string, isWell: boolean) => {
    const counts = told.ended.get(what) ?? { well: 0, badly: 0 };
    counts[isWell ? 'well' : 'badly'] += 1;
    told.ended.set(what, counts);
    return isWell;
  };
  const run = async (what: string, ...args: string[]) => note(what, (await flux.flux(...args)).exitCode === 0);
  const repeat = async (work: (round: number) => Promise<unknown>) => {
    for (let round = 1; !isOver(); round++) {
      await work(round);
      await pause(50);
    }
  };
  const pushes: number[] = [];
  const writes: number[] = [];
  told.pushes.set(project.slug, pushes);
  told.writes.set(project.slug, writes);
  return Promise.all([
    repeat(async (round) => {
      const path = join(flux.folder, `storm-${project.slug}.sql`);
      writeFileSync(path, `insert into pushed values (${round});`);
      if (await run('push', 'push', path, ...project.flags)) pushes.push(round);
    }),
    repeat(async (round) => {
      const isWell = await psql(project.uri, `insert into written values (${round})`).then(
        () => true,
        () => false,
      );
      if (note('write', isWell)) writes.push(round);
    }),
    repeat(async (round) => {
      if (!(await run('create and verify', 'backup', 'create', ...project.flags, '--verify'))) return;
      if (round % 2 === 0) await run('verify', 'backup', 'verify', '--latest', ...project.flags);
      else
        await run(
          'download',
          'backup',
          'download',
          '--latest',
          ...project.flags,
          '--output',
          join(flux.folder, `${project.slug}-${round}.dump`),
        );
      if (round % 3 !== 0) return;
      const copy = `${project.slug}-copy-${round}`;
      await run('restore into', 'backup', 'restore', '--latest', ...project.flags, '--into', copy, '--yes');
      await run('nuke', 'nuke', copy, '--skip-backup-check', '--yes');
    }),
  ]);
}
