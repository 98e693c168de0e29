import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findDangers } from './dangers.ts';
import { createGrammar } from './grammar.ts';

const grammar = createGrammar();
const effects = async (sql: string) => (await findDangers(sql, grammar)).map(({ effect }) => effect);

describe('findDangers', () => {
  it.each([
    'drop table orders',
    'DROP TABLE IF EXISTS a, b CASCADE',
    'drop /* not */ table -- really\n orders',
    'drop schema app cascade',
    'drop database app',
    'drop owned by app',
    'drop type mood cascade',
    'drop domain email cascade',
    'drop extension citext cascade',
    'truncate orders',
    'truncate table only orders restart identity cascade',
    'delete from orders',
    'delete from only orders as o returning *',
    'delete from orders using customers',
    'delete from orders using (select id from customers where gone) c',
    'delete from orders using customers c returning (select 1 where true)',
    'delete from orders where true',
    'delete from orders where (1 = 1) returning id',
    "delete from orders where 'a' = 'a'",
    'with gone as (delete from orders returning *) insert into archive select * from gone where true',
    'with recursive a (x) as materialized (select 1 where true), b as not materialized (select 2) delete from orders',
    'with a as (select 1), delete as (select 2 where true) delete from orders',
    'with t as (select 1) search depth first by a, b set c select 1 from (values (1)) v; delete from t',
    'create table gone as with d as (delete from orders returning *) select * from d',
    'copy (delete from orders returning *) to stdout',
    '(with d as (delete from orders returning *) select * from d)',
    'prepare p as delete from orders',
    'explain analyze delete from orders',
    'explain (verbose, analyze) delete from orders',
    'alter table orders drop column note',
    'alter table orders drop note',
    'alter table orders drop "constraint"',
    'alter table if exists only "a b"."c d" drop column if exists x cascade',
    'alter table orders add column a int, drop column b, add constraint c check (a > 0)',
    'alter type address drop attribute street',
    'select lo_unlink(1)',
    'select pg_catalog.lo_unlink(oid) from pg_largeobject_metadata',
    'do $$ begin delete from orders; end $$',
    "do 'begin delete from orders where a = ''x''; delete from orders; end'",
    'do language plpgsql $x$ declare n int := 1; begin if n > 0 then drop table orders; end if; end $x$',
    "do $$ begin execute 'drop table orders'; end $$",
    'do $$ begin execute $q$truncate orders$q$; end $$',
    "do $$ declare r record; begin for r in select tablename from pg_tables loop execute format('DROP TABLE %I.%I CASCADE', 'a', r.tablename); end loop; end $$",
    "do $$ begin execute 'truncate ' || quote_ident('orders'); end $$",
    'do $$ declare r record; begin for r in delete from orders returning * loop insert into b select 1 where true; end loop; end $$',
    'do $$ begin begin null; exception when others then truncate orders; end; end $$',
    'do $$ <<outer>> begin truncate orders; end $$',
  ])('marks as destroying: %s', async (sql) => {
    expect(await effects(sql)).toEqual(['destroys']);
  });

  it.each([
    "update orders set note = ''",
    "update only orders as o set note = '' from customers",
    'update orders set note = (select x from y where true)',
    'update orders set note = null where true',
    'with a as (update orders set note = null returning *) select * from a where id = 1',
    'drop materialized view sums',
    'drop sequence numbers',
    'drop schema app',
    'drop function f() cascade',
    'drop view v cascade',
    'alter table orders alter column total type int',
    'alter table orders alter total set data type varchar(10)',
    'alter table orders alter type type text using upper(type)',
    'alter table orders set unlogged',
    'alter type address alter attribute zip type int',
    'merge into a using b on a.id = b.id when matched then update set x = 1 when not matched by source then delete',
    'do $$ begin update orders set a = 1; end $$',
  ])('marks as possibly destroying: %s', async (sql) => {
    expect(await effects(sql)).toEqual(['may_destroy']);
  });

  it.each([
    'do $$ begin execute q; end $$',
    "do $$ begin execute 'delete from ' || t || ' where id = 1'; end $$",
    "do $$ begin execute 'delete from ' || t || condition; end $$",
    'do $$ begin for r in execute q loop null; end loop; end $$',
    'do $$ begin open c for execute q using 1; end $$',
    'do language plpython3u $$ plpy.execute("truncate orders") $$',
    'call clean_up()',
    'do $$ begin call clean_up(); end $$',
    'create function f() returns void language plpgsql as $$ begin truncate orders; end $$',
    "create or replace function f(a text default 'x') returns void as 'delete from orders' language sql",
    'create procedure p() begin atomic delete from orders; end',
    'create function f(q text) returns void language plpgsql as $$ begin execute q; end $$',
  ])('says that it could not analyse: %s', async (sql) => {
    expect(await effects(sql)).toEqual(['unseen']);
  });

  it.each([
    'select 1; insert into orders values (1); create table t (a int)',
    '-- drop table orders;\n/* truncate orders; /* delete from orders */ */ select 1',
    "select 'drop table orders; delete from orders'",
    "insert into log values ('drop table orders'), (E'\\'; truncate orders; --')",
    'select $$drop table orders$$, $x$; delete from orders; $x$',
    'select "drop", "delete from" from "truncate"',
    'create table "drop table x" (update text, set text, delete text)',
    'delete from orders where id = 1',
    'delete from orders using customers c where c.id = orders.customer and c.gone',
    'delete from orders where current of cursor_of_it',
    "delete from orders where '1' = note",
    'with old as (select id from orders) delete from orders where id in (select id from old)',
    'with gone as (delete from orders where id < 10 returning *) select * from gone',
    'update orders set note = 1 where id = 2',
    'insert into orders values (1) on conflict (id) do update set note = excluded.note',
    'select * from orders for update',
    'merge into a using b on a.id = b.id when matched then update set x = 1 when not matched then insert values (1)',
    'explain delete from orders',
    'explain (analyze off, verbose) delete from orders',
    'explain (costs) delete from orders',
    'create table t (a int references orders on delete cascade on update set null)',
    'create trigger t before delete or update on orders for each row execute function f()',
    'create policy p on orders for delete using (true)',
    'grant delete, truncate, update on orders to app; revoke delete on orders from app',
    'grant execute on function f() to app',
    'drop index i; drop policy p on orders; drop trigger t on orders; drop view v; drop function f(); drop type mood; drop role app',
    'alter table orders drop constraint c; alter table orders alter note drop not null, alter note drop default',
    'alter table orders alter note drop expression, alter id drop identity',
    'alter table orders alter note type text, alter name type character varying collate "C"',
    'alter table orders rename column a to b; alter table orders detach partition p',
    'alter view v alter column a drop default; alter index i set tablespace t',
    'comment on table orders is $$drop table orders$$',
    'do $$ begin perform f(); delete from orders where id = 1; raise notice $x$truncate orders;$x$; end $$',
    "do $$ begin execute 'delete from orders where id = 1'; end $$",
    'do $$ begin create trigger t before insert on orders for each row execute function f(); grant execute on function f() to app; end $$',
    'create function f() returns int language sql as $$ select 1 $$',
    'create function f() returns int language plpgsql as $$ begin insert into a values (1) on conflict do nothing; return 1; end $$',
    'reassign owned by a to b; refresh materialized view v; vacuum orders',
  ])('marks nothing in: %s', async (sql) => {
    expect(await findDangers(sql, grammar)).toEqual([]);
  });

  it('gives the place, the part that does it, and why', async () => {
    const sql = `create table a (b int);
-- the old one
drop table
  orders; -- gone
alter table shop.items
  add column c int, -- new
  drop column d cascade;
do $$
begin
  truncate orders;
end $$;`;
    expect(await findDangers(sql, grammar)).toEqual([
      { line: 3, column: 1, effect: 'destroys', statement: 'drop table orders', why: 'It removes the table and every row in it.' },
      {
        line: 7,
        column: 3,
        effect: 'destroys',
        statement: 'alter table shop.items drop column d cascade',
        why: 'It removes the column with its values. CASCADE also removes what depends on it.',
      },
      {
        line: 10,
        column: 3,
        effect: 'destroys',
        statement: 'truncate orders',
        why: 'TRUNCATE removes every row. It is in a DO block, which may not reach it.',
      },
    ]);
    const [inString] = await findDangers("do 'begin\n  perform ''x'';\n  drop table orders;\nend'", grammar);
    expect(inString).toMatchObject({ line: 3, column: 3, statement: 'drop table orders' });
  });

  it('shortens a long statement', async () => {
    const [long] = await findDangers(`delete from orders returning ${'x,'.repeat(2000)}x`, grammar);
    expect(long?.statement).toHaveLength(500);
  });

  it('marks every statement of a kind wherever it stands among harmless ones', async () => {
    const harmless = fc.constantFrom("select 'drop table x;'", 'select $a$;truncate x;$a$', '/* ; drop table y; */ select 1', 'select (1)');
    const harmful = fc.constantFrom('drop table x', 'truncate x', 'delete from x', 'alter table x drop y');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(harmless, harmful)), async (pairs) => {
        const sql = pairs.flat().join(';\n');
        expect(await effects(sql)).toEqual(pairs.map(() => 'destroys'));
      }),
    );
  });

  it('never fails, whatever the text is', async () => {
    const piece = fc.constantFrom(
      ..."drop table x;|delete from x|with a as (|)|(|do $$|$$|begin|execute|format(|alter table|drop|,|.|update x set|where|true|;|'|\"|E'|--|\n|/*|*/|explain|create function|as|language|call".split(
        '|',
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 25 }), async (pieces) => void (await findDangers(pieces.join(' '), grammar))),
      { numRuns: 3000 },
    );
    expect(await effects(`select ${'('.repeat(100_000)}${')'.repeat(100_000)}; drop table x`)).toEqual(['destroys']);
  });

  it('passes over a large file of INSERTs quickly', async () => {
    const sql = `insert into orders values (1, 'some text (with) "quotes"');\n`.repeat(50_000);
    const began = Date.now();
    expect(await findDangers(sql, grammar)).toEqual([]);
    expect(Date.now() - began).toBeLessThan(3000);
  });
});
