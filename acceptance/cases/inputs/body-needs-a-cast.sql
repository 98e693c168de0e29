create type mood as enum ('bad', 'good');
create function level(mood) returns int language sql immutable as $$ select case when $1::text = 'good' then 1 else 0 end $$;
create cast (mood as int) with function level(mood) as implicit;
create table days (id int, felt mood);
insert into days values (1, 'good');
create function next_level(mood) returns int language sql immutable as $$ select $1 + 1 $$;
create materialized view levels as select id, next_level(felt) as level from days;
