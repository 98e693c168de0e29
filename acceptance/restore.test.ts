import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backUp, manifestOf } from './harness/backups.ts';
import { type Flux, startFlux, type TestProject } from './harness/flux.ts';
import { psql, readRows } from './harness/postgres.ts';

let flux: Flux;
beforeAll(async () => {
  flux = await startFlux();
});
afterAll(() => flux?.[Symbol.asyncDispose]());

/** Everything that a restore could lose: grants taken and given, policies, defaults, sequences, views, functions, comments. */
const SCHEMA = `
  create type mood as enum ('calm', 'busy');
  create table customers (id int generated always as identity primary key, name text not null, mood mood default 'calm');
  create table orders (id bigserial primary key, customer int references customers, total numeric(12, 2) check (total >= 0), note text);
  insert into customers (name, mood) select 'customer ' || i, case when i % 3 = 0 then 'busy' else 'calm' end::mood from generate_series(1, 300) i;
  insert into orders (customer, total, note) select 1 + i % 300, i * 1.25, md5(i::text) from generate_series(1, 5000) i;
  create index orders_by_customer on orders (customer);
  create view busy as select c.name, count(*) from customers c join orders o on o.customer = c.id where c.mood = 'busy' group by 1;
  create materialized view totals as select customer, sum(total) from orders group by 1;
  create function total_of(a_customer int) returns numeric language sql stable security definer as $$ select sum(total) from orders where customer = a_customer $$;
  create function hidden() returns int language sql as $$ select 1 $$;
  alter table orders enable row level security;
  create policy own on orders for select to public using (auth.uid() is null or customer = 1);
  comment on table orders is 'what was sold';
  comment on function total_of(int) is 'sum for one';
  grant select on customers to anon;
  grant execute on function total_of(int) to public;
  revoke all on function hidden() from public;
`;

const grantsOf = { v1_dedicated: 'grant select on orders to authenticated;', v2_shared: '' };

async function credentialsOf(slug: string, hash: string): Promise<string> {
  return (await flux.flux('project', 'credentials', slug, '--hash', hash, '--field', 'postgres.url')).stdout.trim();
}

const schemaOf = async (project: TestProject): Promise<string> =>
  ((await (await flux.api(`/projects/${project.hash}`)).json()) as { apiSchema: string }).apiSchema;

describe.each([
  { mode: 'v1_dedicated' as const, slug: 'come-back' },
  { mode: 'v2_shared' as const, slug: 'come-back-tenant' },
])('a project on $mode', ({ mode, slug }) => {
  let project: TestProject;
  let id: string;
  let rows: Map<string, string>;

  beforeAll(async () => {
    project = await flux.createProject(slug, mode);
    await flux.push(project, SCHEMA + grantsOf[mode]);
    id = await backUp(flux, project, '--verify');
    rows = await readRows(project.uri, await schemaOf(project));
  });

  it('comes back as itself after it was nuked', async () => {
    const before = await manifestOf(flux, project, id);
    expect((await flux.flux('nuke', slug, '--hash', project.hash, '--yes')).exitCode).toBe(0);

    const restored = await flux.flux('backup', 'restore', '--hash', project.hash, '--latest', '--into', slug);

    expect(restored.stderr).not.toContain('Error');
    expect(restored.stdout).toContain(`✓ ${slug} (${project.hash}) is back\n`);
    expect(restored.exitCode).toBe(0);
    expect(await credentialsOf(slug, project.hash)).toMatch(project.uri.replace(/:\d+\/.*$/, ''));
    const after = await manifestOf(flux, project, await backUp(flux, project, '--verify'));
    expect(after).toEqual(before);
    expect(await readRows(await credentialsOf(slug, project.hash), await schemaOf(project))).toEqual(rows);
  });

  it('is copied into a new project that works by itself', async () => {
    const restored = await flux.flux('backup', 'restore', ...project.flags, '--id', id, '--into', `${slug}-copy`, '--json');

    expect(restored.stderr).not.toContain('Error');
    const answer = JSON.parse(restored.stdout) as { project: { hash: string }; notes: string[] };
    const copy = {
      ...project,
      slug: `${slug}-copy`,
      hash: answer.project.hash,
      uri: await credentialsOf(`${slug}-copy`, answer.project.hash),
    };
    expect(await readRows(copy.uri, await schemaOf(copy))).toEqual(rows);
    const flags = ['--project', copy.slug, '--hash', copy.hash];
    expect((await flux.flux('backup', 'create', ...flags, '--verify')).exitCode).toBe(0);
    await flux.push({ ...copy, flags: ['--project', copy.slug, '--hash', copy.hash] }, 'create table more (id int)');
    await psql(copy.uri, `set search_path = ${await schemaOf(copy)}; insert into customers (name) values ('new')`);
    // The first project is what it was.
    expect(await readRows(await credentialsOf(slug, project.hash), await schemaOf(project))).toEqual(rows);
  });
});
