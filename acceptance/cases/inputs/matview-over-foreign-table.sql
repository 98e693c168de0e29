-- A materialized view over a table of another server, which a restore must reach to fill it.
create extension postgres_fdw;
create server stock foreign data wrapper postgres_fdw options (host '127.0.0.1', port '{{port}}', dbname 'stockdb');
create user mapping for public server stock options (user '{{user}}', password '{{password}}');
create foreign table items (id int, name text) server stock options (table_name 'items');
create materialized view items_here as select * from items;
create table own (id int primary key); insert into own values (1), (2);
