import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Flux, startFlux } from './harness/flux.ts';
import { psql, startThrowAwayCluster, type ThrowAwayCluster } from './harness/postgres.ts';

let elsewhere: ThrowAwayCluster;
let flux: Flux;
let uri: string;
let asApp: string;

/** A database of a hosted service: schemas of the service that the login may not read, and a log that nobody needs back. */
const HOSTED = `
  create role app login password 'x'; create role platform;
  create schema auth authorization platform; create table auth.users (id uuid primary key); alter table auth.users owner to platform;
  create function auth.uid() returns uuid language sql stable as 'select null::uuid'; alter function auth.uid() owner to platform;
  create extension citext; create extension unaccent;
  create table public.settings (name citext primary key); insert into public.settings values ('Colour');
  create schema shop; create table shop.orders (id int primary key, email public.citext, by uuid);
  insert into shop.orders select i, 'Somebody' || i from generate_series(1, 300) i;
  alter table shop.orders enable row level security; create policy own on shop.orders using (by = auth.uid());
  create table shop.log_2025 (id serial, line text); insert into shop.log_2025 (line) select 'line ' || i from generate_series(1, 1000) i;
  alter table shop.orders owner to app; grant usage on schema shop to app;
  grant select on all tables in schema shop, public to app; grant select on all sequences in schema shop to app`;

beforeAll(async () => {
  [elsewhere, flux] = await Promise.all([startThrowAwayCluster(), startFlux()]);
  await psql(elsewhere.uri('postgres'), 'create database hosted; create database empty template template0');
  uri = elsewhere.uri('hosted');
  asApp = uri.replace(/\/\/[^@]*@/, '//app:x@');
  await psql(uri, HOSTED);
});

afterAll(async () => {
  await flux?.[Symbol.asyncDispose]();
  await elsewhere?.[Symbol.asyncDispose]();
});

const attach = (slug: string, ...more: string[]) => flux.fluxWith({ env: { FLUX_ATTACH_URI: asApp } }, 'create', slug, '--attach', ...more);
const newestOf = async (slug: string) =>
  JSON.parse((await flux.flux('backup', 'list', '--project', slug, '--json')).stdout).backups[0] as { id: string };

it('attaches a database of which the login may read a part, backs that part up and says what is left out', async () => {
  const refused = await attach('part');
  expect(refused.stderr).toContain('schema auth of platform: USAGE is not granted');
  const created = await attach('part', '--exclude-schema', 'auth', '--exclude-table-data', 'shop.log*');
  expect(created.stderr).toContain('left out by choice: schema auth: The schema auth is excluded by the project');
  expect(created.stdout).toMatch(/^Backed up: +all schemas but auth; without the rows of shop\.log\*$/m);
  expect(created.exitCode).toBe(0);

  const [listed] = JSON.parse((await flux.flux('list', '--json')).stdout) as [object];
  const scope = { schemas: [], excludeSchemas: ['auth'], excludeTableData: ['shop.log*'] };
  expect(listed).toMatchObject({ slug: 'part', scope });
  expect((await flux.flux('project', 'show', 'part')).stdout).toMatch(/^Backed up: +all schemas but auth; without/m);

  const verified = await flux.flux('backup', 'create', '--project', 'part', '--verify');
  expect(verified.stdout).toContain('✓ Restorable');
  expect(verified.stdout).not.toContain('nothing differs');
  expect(verified.stdout).toContain('2 not brought back by a restore');
  expect(verified.stdout).toMatch(/schema auth: The schema auth is excluded by the project's settings\. .* function auth\.uid\(\)/);
  expect(verified.stdout).toContain("rows shop.log_2025: The rows of shop.log_2025 are excluded by the project's settings.");
  expect(verified.exitCode).toBe(0);
  const shown = await flux.flux('backup', 'show', '--project', 'part', '--latest');
  expect(shown.stdout).toContain("The rows of shop.log_2025 are excluded by the project's settings.");
});

it('brings it back into a project and into a database, with what the rest needs of an excluded schema', async () => {
  const counts = `select (select count(*) from shop.orders), (select count(*) from shop.log_2025), (select last_value from shop.log_2025_id_seq),
    (select count(*) from public.settings where name = 'colour'), auth.uid() is null, to_regclass('auth.users') is null`;
  const into = await flux.flux('backup', 'restore', '--project', 'part', '--latest', '--into', 'copy');
  expect(into.stdout).toMatch(/schema auth/);
  expect(into.exitCode).toBe(0);
  const copy = (await flux.flux('project', 'credentials', 'copy', '--field', 'postgres.url')).stdout.trim();
  expect(await psql(copy, counts)).toBe('300|0|1000|1|t|t\n');

  const to = elsewhere.uri('empty');
  const restored = await flux.flux('backup', 'restore', '--project', 'part', '--latest', '--to', to, '--prerequisites');
  expect(restored.stdout).toMatch(/rows shop\.log_2025/);
  expect(restored.exitCode).toBe(0);
  expect(await psql(to, counts)).toBe('300|0|1000|1|t|t\n');
});

it('changes later what is backed up; a backup keeps the part that it was made of', async () => {
  const { id } = await newestOf('part');
  const nothing = await flux.flux('project', 'attach', 'part', '--schema', 'shpo');
  expect(nothing.stderr).toContain('--schema shpo matches no schema of the database.\nThe nearest names are shop, ');
  expect(nothing.exitCode).toBe(2);
  const whole = await flux.flux('project', 'attach', 'part', '--whole-database');
  expect(whole.stderr).toContain('schema auth of platform: USAGE is not granted');
  expect((await flux.flux('project', 'show', 'part')).stdout).toMatch(/^Backed up: +all schemas but auth/m);

  const changed = await flux.flux('project', 'attach', 'part', '--schema', 's*');
  expect(changed.stdout).toMatch(/^part \([0-9a-f]{7}\) was looked at and is running\.\nBacked up: schemas s\*\.$/m);
  expect(changed.exitCode).toBe(0);
  const verified = await flux.flux('backup', 'create', '--project', 'part', '--verify');
  expect(verified.stdout).toContain('✓ Restorable\nRestored and compared: 2 tables, 1,300 rows;');
  expect(verified.stdout).toMatch(/schema public: The schema public is not among those that the project's settings choose/);
  // The type of a column is of an extension in another schema.
  expect(verified.stdout).toMatch(/extension unaccent: Nothing in the schemas/);
  expect(verified.stdout).not.toMatch(/extension citext/);
  const earlier = await flux.flux('backup', 'verify', '--project', 'part', '--id', id);
  expect(earlier.stdout).toContain("The rows of shop.log_2025 are excluded by the project's settings.");
  expect(earlier.exitCode).toBe(0);

  await psql(uri, 'grant usage on schema auth to app; grant select on auth.users to app');
  const again = await flux.flux('project', 'attach', 'part', '--whole-database');
  expect(again.stdout).toContain('Backed up: the whole database.');
  expect(JSON.parse((await flux.flux('list', '--json')).stdout)).not.toContainEqual(
    expect.objectContaining({ slug: 'part', scope: expect.anything() }),
  );
});

it('makes no backup that would not restore, and names what it lacks and the option that cures it', async () => {
  const created = await attach('bound', '--schema', 'shop', '--schema', 'public');
  expect(created.exitCode).toBe(0);
  await psql(uri, 'create table shop.profiles (id uuid references auth.users)');
  await psql(uri, 'grant select on shop.profiles to app');
  const failed = await flux.flux('backup', 'create', '--project', 'bound');
  expect(failed.stderr).toContain(
    'What is chosen needs what is not, so a backup of it would not restore.\n  table constraint profiles_id_fkey on shop.profiles needs table auth.users, which is in the schema auth\n',
  );
  expect(failed.stderr).toContain('Add --schema auth.');
  expect(failed.exitCode).toBe(1);
  const doctor = await flux.flux('doctor', 'bound');
  expect(doctor.stdout).toMatch(
    /✗ what is backed up: What is chosen needs what is not, .* needs table auth\.users, .* Add --schema auth\./,
  );
  expect(doctor.exitCode).toBe(1);
  const own = await flux.flux('create', 'own', '--schema', 'public');
  expect(own.stderr).toContain('Only of an attached database a part can be backed up.');
  expect(own.exitCode).toBe(2);
});
