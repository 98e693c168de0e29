-- Publications of every kind, and a subscription that is asleep.
create table a (id int primary key, x int, y text); create table b (id int primary key); create schema s; create table s.c (id int primary key);
create publication p_all for all tables; create publication p_some for table a (id, x) where (x > 1), b with (publish = 'insert'); create publication p_schema for tables in schema s;
create subscription sleeping connection 'host=127.0.0.1 port=1 dbname=none' publication p with (connect = false);
insert into a values (1, 2, 'z');
