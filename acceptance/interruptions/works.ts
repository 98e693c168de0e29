import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Flux, TestProject } from '../harness/flux.ts';
import { type HeldLock, holdLock, lockTable } from '../harness/pg-lock.ts';
import { psql } from '../harness/postgres.ts';
import { catalogUri, databaseOf, instanceOf, superuserUri } from '../harness/superuser.ts';

/** Where work runs: the control plane, and a database that has nothing to do with it, which is empty. */
export interface Place {
  readonly flux: Flux;
  readonly elsewhere: string;
}

/** A project that one kind of work is done to. */
export interface Subject extends TestProject {
  readonly id: string;
}

/** A kind of work that is interrupted in its middle: how it begins, what keeps it there, and what must hold afterwards. */
export interface Work {
  readonly name: string;
  readonly kind: string;
  readonly engine: 'v1_dedicated' | 'v2_shared';
  readonly sql: string;
  /** Whether the project needs a verified backup before. */
  readonly backup: 'none' | 'verified';
  /** Its middle is when it runs and is in this phase; null where it says nothing of how far it is. */
  readonly middle: string | null;
  /** Whether it stays there only for some seconds, so that it must begin when everything else is in its middle. */
  readonly isBrief: boolean;
  readonly hold: (subject: Subject, place: Place) => Promise<HeldLock | undefined>;
  readonly command: (subject: Subject, place: Place) => readonly string[];
  /** What a command that follows is told. `done`: the next worker takes it up. `not done`: an error, and all is as it was. */
  readonly end: 'done' | 'not done';
  /** What must hold when the command has ended, besides that the project does its work. */
  readonly holds: (subject: Subject, place: Place) => Promise<void>;
}

const ROWS = 2000;
const READINGS = `create table readings (id int primary key, note text not null);
  insert into readings select i, md5(i::text) from generate_series(1, ${ROWS}) i;`;
/** A key of an advisory lock; whoever restores the view waits while somebody else in that database holds it. */
const GATE = 815;
const GATED = `${READINGS} create materialized view gated as select 1 as one from pg_advisory_xact_lock(${GATE});`;
/** A restore of it takes two seconds in the sandbox too, where no test can hold anything. */
const SLOW = `${READINGS} create materialized view slow as select 1 as one from pg_sleep(2);`;

const closeGate = (uri: string) => holdLock(uri, `select pg_advisory_xact_lock_shared(${GATE})`);
const sharedUri = ({ flux }: Place) => superuserUri(flux, 'shared', 'flux_shared');
const holdReadings = ({ uri }: Subject) => lockTable(uri, 'readings');
const rowsOf = async ({ uri }: TestProject) => Number(await psql(uri, 'select count(*) from readings'));
const countTables = async (uri: string) =>
  Number(await psql(uri, `select count(*) from pg_class where relkind in ('r', 'm') and relnamespace::regnamespace::text !~ '^(pg_|inf)'`));

const tenant = { isBrief: false, engine: 'v2_shared', backup: 'none', middle: null, end: 'not done', sql: READINGS } as const;
const restore = { ...tenant, kind: 'backup_restore', backup: 'verified', sql: GATED, middle: 'restore' } as const;

/** Whatever was interrupted, the live data is what it was. */
async function keepsItsRows(subject: Subject): Promise<void> {
  if ((await rowsOf(subject)) !== ROWS) throw new Error(`${subject.slug} has ${await rowsOf(subject)} rows`);
}

export const WORKS: readonly Work[] = [
  ...(['v1_dedicated', 'v2_shared'] as const).map(
    (engine): Work => ({
      ...tenant,
      name: `a create (${engine})`,
      kind: 'backup_create',
      engine,
      hold: holdReadings,
      command: ({ flags }) => ['backup', 'create', ...flags],
      end: 'done',
      holds: keepsItsRows,
    }),
  ),
  {
    ...tenant,
    name: 'a verify',
    kind: 'backup_verify',
    isBrief: true,
    sql: SLOW,
    backup: 'verified',
    middle: 'restore',
    hold: async () => undefined,
    command: ({ flags }) => ['backup', 'verify', '--latest', ...flags],
    end: 'done',
    holds: keepsItsRows,
  },
  {
    ...tenant,
    name: 'a push',
    kind: 'push',
    hold: holdReadings,
    command: ({ flags }, { flux }) => ['push', scriptIn(flux), '--mode', 'raw', ...flags],
    holds: keepsItsRows,
  },
  {
    ...restore,
    name: 'a restore in place',
    hold: (_, place) => closeGate(sharedUri(place)),
    command: ({ flags, slug }) => ['backup', 'restore', '--latest', '--in-place', '--skip-present-backup', '--confirm', slug, ...flags],
    holds: keepsItsRows,
  },
  {
    ...restore,
    name: 'a restore into a new project',
    hold: (_, place) => closeGate(sharedUri(place)),
    command: ({ flags, slug }) => ['backup', 'restore', '--latest', '--into', `${slug}-copy`, ...flags],
    holds: async (subject, { flux }) => {
      await keepsItsRows(subject);
      const listed = await flux.flux('list');
      if (listed.stdout.includes(`${subject.slug}-copy`)) throw new Error(`an incomplete project was left behind:\n${listed.stdout}`);
    },
  },
  {
    ...restore,
    name: 'a restore to a database',
    hold: (_, { elsewhere }) => closeGate(elsewhere),
    command: ({ flags }, { elsewhere }) => ['backup', 'restore', '--latest', '--to', elsewhere, '--prerequisites', ...flags],
    holds: async (_, { elsewhere }) => {
      // A pg_restore that outlives a killed server ends by itself, with everything or with nothing.
      const tables = await countTables(elsewhere);
      if (tables !== 0 && tables !== 2) throw new Error(`a database was restored in part: ${tables} tables`);
    },
  },
  {
    ...tenant,
    name: 'a reset',
    kind: 'reset',
    engine: 'v1_dedicated',
    backup: 'verified',
    middle: 'prepare',
    // Creating a database writes there; connecting only reads it.
    hold: (subject, { flux }) =>
      holdLock(superuserUri(flux, instanceOf(subject.id, 'v1_dedicated'), databaseOf(subject)), 'lock table pg_database in share mode'),
    command: ({ slug, hash }) => ['project', 'reset', slug, '--hash', hash, '--yes'],
    holds: keepsItsRows,
  },
  {
    ...tenant,
    name: 'a migration',
    kind: 'migrate',
    isBrief: true,
    middle: 'block',
    hold: ({ uri }) => holdLock(uri, 'lock table readings in row exclusive mode'),
    command: ({ flags, slug }) => ['migrate', '--confirm', slug, ...flags],
    holds: async (subject, { flux }) => {
      await keepsItsRows(subject);
      const state = await psql(catalogUri(flux), `select engine, migration_state from projects where id = '${subject.id}'`);
      if (state.trim() !== 'v2_shared|') throw new Error(`${subject.slug} is half migrated: ${state}`);
    },
  },
];

/** A removal, which `holdProject` keeps in its middle. A project can be removed once, so each test has its own. */
export const REMOVAL: Work = {
  ...tenant,
  name: 'a removal',
  kind: 'nuke',
  middle: 'gate',
  hold: async () => undefined,
  command: ({ slug, hash }) => ['nuke', slug, '--hash', hash, '--yes', '--skip-backup-check', '--reason', 'a test'],
  end: 'done',
  holds: async ({ id }, place) => {
    // One that a restart has gone on with is in the trash, where nobody can log in.
    const shortId = id.replaceAll('-', '').slice(0, 12);
    const left = `select count(*) from pg_roles where rolname ~ '${shortId}' and (rolname ~ '^t_' or rolcanlogin)`;
    if (Number(await psql(sharedUri(place), left)) !== 0) throw new Error('a removal left roles behind');
  },
};

/** Locks the row of a project, which a removal changes before it removes anything. */
export function holdProject({ id }: Subject, { flux }: Place): Promise<HeldLock> {
  return holdLock(catalogUri(flux), `select from projects where id = '${id}' for no key update`);
}

function scriptIn({ folder }: Flux): string {
  const path = join(folder, 'more.sql');
  writeFileSync(path, `insert into readings select i, 'pushed' from generate_series(10001, 10010) i;`);
  return path;
}
