-- A database whose default sorting is ICU's; every row and object comes back, and the order does not.
create table people (name text primary key); insert into people values ('anna'), ('Bert'), ('Zoe'), ('emil');
create view sorted as select string_agg(name, ',' order by name) as names from people;
