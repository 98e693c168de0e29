import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from '../../harness/flux.ts';
import { psql } from '../../harness/postgres.ts';
import type { Storm } from './told.ts';

const ROWS = 20_000;
export const PREPARE = `create table pushed (n int primary key); create table written (n int primary key);
  create table bulk as select i, md5(i::text) as a from generate_series(1, ${ROWS}) i;`;

/** Each starts a command anew; without a pause they would take the processors from the work that the storm is to hit. */
const PUSH_PAUSE_MS = 1000;
const WRITE_PAUSE_MS = 200;
const BACKUP_PAUSE_MS = 500;

/** Clients of one project that push, write, back up, verify, download and restore into other projects until the storm is over. */
export function startClients(storm: Storm, project: TestProject): Promise<unknown> {
  const { flux, told, run } = storm;
  const pushes: number[] = [];
  const writes: number[] = [];
  told.pushes.set(project.slug, pushes);
  told.writes.set(project.slug, writes);
  return Promise.all([
    storm.repeat(PUSH_PAUSE_MS, async (round) => {
      const path = join(flux.folder, `storm-${project.slug}.sql`);
      writeFileSync(path, `insert into pushed values (${round});`);
      if (await run('push', 'push', path, ...project.flags)) pushes.push(round);
    }),
    storm.repeat(WRITE_PAUSE_MS, async (round) => {
      const isWell = await psql(project.uri, `insert into written values (${round})`).then(
        () => true,
        () => false,
      );
      if (storm.note('write', isWell)) writes.push(round);
    }),
    storm.repeat(BACKUP_PAUSE_MS, async (round) => {
      if (!(await run('create and verify', 'backup', 'create', ...project.flags, '--verify'))) return;
      const output = join(flux.folder, `${project.slug}-${round}.dump`);
      if (round % 2 === 0) await run('verify', 'backup', 'verify', '--latest', ...project.flags);
      else await run('download', 'backup', 'download', '--latest', ...project.flags, '--output', output);
      await restoreIntoCopy(storm, project, `${project.slug}-copy-${round}`);
    }),
  ]);
}

/** A copy that was acknowledged has the rows. One that was not is nobody's: the next one has another name. */
async function restoreIntoCopy({ flux, told, run, read, isOver }: Storm, project: TestProject, copy: string): Promise<void> {
  if (await run('restore into', 'backup', 'restore', '--latest', ...project.flags, '--into', copy, '--yes')) {
    const { exitCode, stdout } = await flux.flux('project', 'credentials', copy, '--field', 'postgres.url');
    // A server that was killed a moment ago does not answer; that it has the copy is asked of the next one.
    const rows = exitCode === 0 ? await read(stdout.trim(), 'select count(*) from bulk') : String(ROWS);
    if (rows !== String(ROWS)) told.lies.push(`${copy} was acknowledged, and has ${rows ?? 'no'} rows`);
  }
  if (!isOver()) await run('nuke', 'nuke', copy, '--skip-backup-check', '--reason', 'storm', '--yes');
}

/** A client that imports an archive into a dedicated project, verifies what it imported, and deletes it. */
export function startImporter(storm: Storm, project: TestProject, archive: string): Promise<unknown> {
  const { told, run } = storm;
  return storm.repeat(BACKUP_PAUSE_MS, async () => {
    const imported = await storm.ask('import', 'backup', 'import', archive, ...project.flags, '--json');
    if (imported?.exitCode !== 0) return;
    const { id } = (JSON.parse(imported.stdout) as { backup: { id: string } }).backup;
    told.imports.set(id, 'imported');
    if (await run('verify an import', 'backup', 'verify', '--id', id, ...project.flags)) told.imports.set(id, 'verified');
    if (storm.isOver()) return;
    const isDeleted = await run('delete', 'backup', 'delete', '--id', id, ...project.flags, '--yes');
    told.imports.set(id, isDeleted ? 'deleted' : 'unknown');
  });
}
