-- Comments on whatever takes one.
create table t (id int primary key, a int check (a > 0), b text);
create domain d as int constraint pos check (value > 0);
comment on table t is E'tab\tand newline\nand ''quote''';
comment on column t.a is ''; comment on column t.b is 'ü 🎈';
comment on constraint t_pkey on t is 'key'; comment on constraint t_a_check on t is 'check'; comment on constraint pos on domain d is 'positive';
create index i on t (b); comment on index i is 'index';
create statistics st on a, b from t; comment on statistics st is 'stat';
create sequence s; comment on sequence s is 'seq';
create view v as select * from t; comment on view v is 'view'; comment on column v.a is 'col of view';
create rule r as on delete to v do instead nothing; comment on rule r on v is 'rule';
create function f(int, text default 'x') returns int language sql as 'select 1'; comment on function f is 'fun';
create aggregate agg (int) (sfunc = int4pl, stype = int, initcond = '0'); comment on aggregate agg (int) is 'agg';
create type c as (x int, y text); comment on type c is 'type'; comment on column c.x is 'attr';
create policy p on t using (true); comment on policy p on t is 'pol';
create trigger tr before update on t for each row execute function suppress_redundant_updates_trigger(); comment on trigger tr on t is 'trg';
insert into t values (1, 1, 'x');
