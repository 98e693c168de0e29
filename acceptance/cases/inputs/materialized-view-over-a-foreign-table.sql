create extension postgres_fdw;
create table origin (a int);
insert into origin values (1);
create server far foreign data wrapper postgres_fdw options (host '127.0.0.1', port '{{port}}', dbname '{{database}}');
create user mapping for current_user server far options (user '{{user}}', password '{{password}}');
create foreign table there (a int) server far options (table_name 'origin');
create materialized view counts as select count(*) from there;
