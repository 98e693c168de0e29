import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lookAtCopy } from './cases/copy.ts';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';
import { psql, readRows, startThrowAwayCluster, type ThrowAwayCluster } from './harness/postgres.ts';
import { findSample } from './harness/sample.ts';
import { databaseOf, superuserUri } from './harness/superuser.ts';

const sample = findSample();
console.log(`everyday: the data is ${sample.name}`);

let flux: Flux;
let elsewhere: ThrowAwayCluster;

beforeAll(async () => {
  [flux, elsewhere] = await Promise.all([startFlux(), startThrowAwayCluster()]);
  mkdirSync(join(flux.folder, 'migrations'));
  for (const [name, text] of sample.files) writeFileSync(join(flux.folder, 'migrations', name), text);
});
afterAll(async () => {
  await elsewhere?.[Symbol.asyncDispose]();
  await flux?.[Symbol.asyncDispose]();
});

/** A project with the sample in it, made by the commands of a newcomer. */
async function makeProject(slug: string, mode: 'v1_dedicated' | 'v2_shared'): Promise<TestProject> {
  const project = await flux.createProject(slug, mode);
  const pushed = await flux.shell(`flux push ./migrations ${project.flags.join(' ')}`);
  const names = [...sample.files.keys()];
  expect(pushed.stdout).toBe(
    ['Flux migrations', ...names.flatMap((name) => [`→ ${name} applying...`, `✓ ${name} applied`]), ''].join('\n') +
      `Done. ${names.length} applied, 0 skipped.\n`,
  );
  expect(pushed.exitCode).toBe(0);
  return project;
}

const schemaOf = async (project: TestProject): Promise<string> => {
  const answer = await flux.api(`/projects/${project.hash}`);
  return ((await answer.json()) as { apiSchema: string }).apiSchema;
};

describe.each([
  { mode: 'v1_dedicated' as const, slug: 'bloom-atelier', kind: 'project_db', label: 'Restorable', fresh: 'Created, not restore-verified' },
  {
    mode: 'v2_shared' as const,
    slug: 'petal-post',
    kind: 'tenant_export',
    label: 'Restorable tenant export',
    fresh: 'Created tenant export, not restore-verified',
  },
])('a project on $mode', ({ mode, slug, kind, label, fresh }) => {
  let project: TestProject;
  let names: string;
  let rows: Map<string, string>;

  beforeAll(async () => {
    project = await makeProject(slug, mode);
    names = `--project ${project.slug} --hash ${project.hash}`;
    rows = await readRows(project.uri, await schemaOf(project));
    expect([...rows.values()].filter((text) => text !== '').length).toBeGreaterThan(2);
  });

  it('creates a backup and says what it is worth', async () => {
    const created = await flux.shell(`flux backup create ${names}`);

    expect(created.stdout).toMatch(/^Id: +[0-9a-f-]{36}$/m);
    expect(created.stdout).toMatch(new RegExp(`^Kind: +${kind}$`, 'm'));
    expect(created.stdout).toMatch(/^Size: +\d+(?:\.\d)? [KM]iB$/m);
    expect(created.stdout).toMatch(new RegExp(`^Label: +${fresh}$`, 'm'));
    expect(created.stderr).toContain(`flux backup verify ${names} --latest`);
    expect(created.exitCode).toBe(0);
    const listed = await flux.shell(`flux backup list ${names} | head -3`);
    expect(listed.stdout).toMatch(/^Verification: {13}Not restore-verified\nSafe destructive actions: Blocked until verification$/m);
  });

  it('creates and verifies in one line', async () => {
    const both = await flux.shell(`flux backup create ${names} \\\n  && flux backup verify ${names} --latest`);

    expect(both.stdout).toContain(`✓ ${label}\n`);
    expect(both.stdout).toMatch(/^Restored and compared: \d+ tables, [\d,]+ rows; nothing differs from what was dumped\.$/m);
    expect(both.exitCode).toBe(0);
  });

  it('brings it back into a copy, in which nothing is different by other means than its own', async () => {
    expect(await lookAtCopy(flux, project, mode)).toEqual([]);
  });

  it('answers the question in the first three lines of the list', async () => {
    const listed = await flux.shell(`flux backup list ${names} | head -3`);

    expect(listed.stdout).toMatch(
      /^Latest backup: {12}\d{13} · \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z · [A-Z][a-z]{2} \d{1,2}, \d{4}, \d{1,2}:\d\d [AP]M UTC · .+\nVerification: {13}Restore-verified\nSafe destructive actions: Allowed\n$/,
    );
    expect(listed.stderr).toBe('');
    expect(listed.exitCode).toBe(0);
    const all = await flux.shell(`flux backup list ${names}`);
    expect(all.stdout.split('\n')[4]).toMatch(/^ID +CREATED +SIZE +LABEL$/);
    expect(all.stdout.split('\n')[5]).toMatch(new RegExp(`^[0-9a-f-]{36}  .*  ${label}$`));
  });

  it('downloads by -o and by redirect the same bytes, which pg_restore reads without us', async () => {
    const toFile = await flux.shell(`flux backup download ${names} --latest -o ./${slug}.dump`);
    expect(toFile.exitCode).toBe(0);
    const redirected = await flux.shell(`flux backup download ${names} --latest > ./${slug}-redirected.dump`);
    expect(redirected.exitCode).toBe(0);
    expect(redirected.stdout).toBe('');

    const bytes = readFileSync(join(flux.folder, `${slug}.dump`));
    expect(readFileSync(join(flux.folder, `${slug}-redirected.dump`)).equals(bytes)).toBe(true);
    expect(statSync(join(flux.folder, `${slug}.dump`)).mode & 0o777).toBe(0o600);
    const listing = await flux.shell(`pg_restore --list ./${slug}.dump`);
    expect(listing).toMatchObject({ exitCode: 0, stderr: '' });
    for (const table of rows.keys()) expect(listing.stdout).toMatch(new RegExp(`TABLE DATA \\S+ ${table.replaceAll('"', '')} `));
  });

  it('verifies and downloads a backup by its id, and shows what is known of it', async () => {
    const { backups } = JSON.parse((await flux.shell(`flux backup list ${names} --json`)).stdout) as { backups: { id: string }[] };
    const oldest = backups.at(-1)?.id ?? '';

    expect((await flux.shell(`flux backup verify ${names} --id ${oldest}`)).exitCode).toBe(0);
    expect(
      (await flux.shell(`flux backup download ${names} --id ${oldest} -o - | cat > ./by-id.dump && pg_restore --list ./by-id.dump`))
        .exitCode,
    ).toBe(0);
    const verbose = await flux.shell(`flux backup list ${names} --verbose`);
    expect(verbose.stdout).toContain(`/${oldest}.dump`);
    expect(verbose.stdout).toMatch(/^ +Tier: +restorable$/m);
    expect((await flux.shell(`flux backup show ${names} --id ${oldest}`)).stdout).toContain(oldest);
  });
});

it('restores a dedicated project into its own database by the commands of the guide', async () => {
  const project = await makeProject('by-hand', 'v1_dedicated');
  const names = project.flags.join(' ');
  const before = await readRows(project.uri, 'public');
  expect((await flux.shell(`flux backup create ${names} && flux backup download ${names} --latest -o ./bloom.dump`)).exitCode).toBe(0);
  const credentials = await flux.shell(`flux project credentials ${project.slug} --hash ${project.hash}`);
  const uri = /^Postgres\n(?: +.*\n)*? +URI: +(postgresql:\/\/\S+)$/m.exec(credentials.stdout)?.[1];
  expect(uri).toBe(project.uri);

  // The disaster: tables are gone, one has lost half of its rows, one has grown.
  const [first = '', second = '', third = ''] = [...before.keys()];
  await psql(
    project.uri,
    `drop table ${first} cascade; delete from ${second} where true; alter table ${third} add column rubbish int;`,
  ).catch(() => psql(project.uri, `truncate ${second} cascade; alter table ${third} add column rubbish int;`));
  expect(await readRows(project.uri, 'public')).not.toEqual(before);
  const restored = await flux.shell(`pg_restore --clean --if-exists --no-owner --no-acl --dbname "${uri}" ./bloom.dump`);

  expect(restored).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  expect(await readRows(project.uri, 'public')).toEqual(before);
  // What was restored is the project again: it can be backed up and proven like before.
  expect((await flux.shell(`flux backup create ${names} --verify`)).exitCode).toBe(0);
});

it('restores a tenant export into a Postgres that knows nothing of Flux', async () => {
  const project = await makeProject('to-archive', 'v2_shared');
  const names = project.flags.join(' ');
  const schema = await schemaOf(project);
  // Every row: a policy may hide some from the tenant itself.
  const before = await readRows(superuserUri(flux, 'shared', databaseOf(project)), schema);
  expect((await flux.shell(`flux backup create ${names} && flux backup download ${names} --latest -o ./tenant.dump`)).exitCode).toBe(0);
  const shown = JSON.parse((await flux.shell(`flux backup show ${names} --latest --json`)).stdout) as { prerequisitesSql: string };
  expect((await flux.shell(`flux backup show ${names} --latest`)).stdout).toContain(shown.prerequisitesSql.trimEnd());
  const [first = '', last = ''] = shown.prerequisitesSql.split(/^(?=-- After pg_restore)/m);
  await psql(elsewhere.uri('postgres'), 'create database your_database');
  const target = elsewhere.uri('your_database');

  await psql(target, first);
  const restored = await flux.shell(`pg_restore --no-owner --no-acl --dbname "${target}" ./tenant.dump`);
  await psql(target, last);

  expect(restored).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  expect(await readRows(target, schema)).toEqual(before);
});

it.runIf(sample.name === 'Chinook')('needs no prerequisites for a tenant that refers to nothing outside of itself', async () => {
  const project = await makeProject('portable', 'v2_shared');
  const names = project.flags.join(' ');
  const schema = await schemaOf(project);
  expect((await flux.shell(`flux backup create ${names} && flux backup download ${names} --latest -o ./portable.dump`)).exitCode).toBe(0);
  await psql(elsewhere.uri('postgres'), 'create database portable');

  const restored = await flux.shell(`pg_restore --no-owner --no-acl --dbname "${elsewhere.uri('portable')}" ./portable.dump`);

  expect(restored).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  expect(await readRows(elsewhere.uri('portable'), schema)).toEqual(await readRows(project.uri, schema));
});
