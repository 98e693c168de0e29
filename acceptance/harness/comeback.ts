/** Everything that a restore could lose: grants and revocations, policies, sequences, views, functions, comments. */
export const EVERYTHING = `
  create type mood as enum ('calm', 'busy');
  create table customers (id int generated always as identity primary key, name text not null, mood mood default 'calm');
  create table orders (id bigserial primary key, customer int references customers, total numeric(12, 2) check (total >= 0), note text);
  insert into customers (name, mood) select 'customer ' || i, case when i % 3 = 0 then 'busy' else 'calm' end::mood from generate_series(1, 300) i;
  insert into orders (customer, total, note) select 1 + i % 300, i * 1.25, md5(i::text) from generate_series(1, 5000) i;
  create index orders_by_customer on orders (customer);
  create view busy as select c.name, count(*) from customers c join orders o on o.customer = c.id where c.mood = 'busy' group by 1;
  create materialized view totals as select customer, sum(total) from orders group by 1;
  create function total_of(a_customer int) returns numeric language sql stable security definer
    as $$ select sum(total) from orders where customer = a_customer $$;
  create function hidden() returns int language sql as $$ select 1 $$;
  alter table orders enable row level security;
  create policy own on orders for select to public using (auth.uid() is null or customer = 1);
  create policy named on customers for select to anon using (id < 100);
  comment on table orders is 'what was sold';
  comment on function total_of(int) is 'sum for one';
  grant select on customers to anon;
  grant execute on function total_of(int) to public;
  revoke all on function hidden() from public;
`;
