create function squeeze(t text) returns text language sql immutable as $$ select regexp_replace(lower(t), '[^a-z0-9]+', '-', 'g') $$;
create function slug(t text) returns text language sql immutable as $$ select squeeze(t) $$;
create table posts (title text);
create unique index on posts (slug(title));
insert into posts values ('Hello, World');
