-- Materialized views that another server cannot fill, behind a view and a function; the rows of all others come back.
create extension postgres_fdw; create table here (id int primary key, v text); insert into here values (1, 'one'), (2, 'two');
create server away foreign data wrapper postgres_fdw options (host '127.0.0.1', port '{{port}}', dbname 'stockdb');
create user mapping for current_user server away options (user '{{user}}', password '{{password}}');
create foreign table far (id int, name text) server away options (table_name 'items');
create view behind as select f.id, f.name, h.v from far f left join here h on h.id = f.id;
create materialized view gathered as select * from behind;
create materialized view on_top as select count(*) as n from gathered;
create materialized view local_only as select count(*) as n from here;
create index on gathered (id);
