create role needs_mapping;
create extension postgres_fdw;
create server far foreign data wrapper postgres_fdw;
create user mapping for needs_mapping server far options (user 'a', password 'not-for-eyes');
