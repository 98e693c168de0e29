-- A database whose default sorting is ICU's, and nothing that would break without it.
create table people (name text primary key, n int, check (name < 'zz'));
insert into people values ('anna', 1), ('Bert', 2), ('Zoe', 3), ('Ümit', 4);
create materialized view sorted as select string_agg(name, ',' order by name) as names from people;
