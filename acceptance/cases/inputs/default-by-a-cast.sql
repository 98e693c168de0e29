create type mood as enum ('bad', 'good');
create function level(mood) returns int language sql immutable as $$ select case when $1::text = 'good' then 1 else 0 end $$;
create cast (mood as int) with function level(mood) as assignment;
create table days (id int, felt mood);
insert into days values (1, 'good');
create table scores (id int, level int default 'good'::mood);
insert into scores (id) values (1);
