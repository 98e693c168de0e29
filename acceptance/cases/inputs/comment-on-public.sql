-- The one comment that a fresh database has of its own.
create table t (id int primary key);
comment on schema public is 'our own words';
