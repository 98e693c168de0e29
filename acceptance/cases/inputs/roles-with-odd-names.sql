-- Limits, memberships and settings of roles whose names look like the words between them.
do $$ begin create role "odd in team: x" login connection limit 0 valid until 'infinity'; create role "house, ""in"" team"; create role house_expiring valid until '2031-05-06 07:08:09+02';
  exception when duplicate_object then null; end $$;
grant "house, ""in"" team" to "odd in team: x" with admin option;
grant house_expiring to "odd in team: x" with admin option;
do $$ begin if current_setting('server_version_num')::int >= 160000 then
  execute 'grant "house, ""in"" team" to "odd in team: x" with inherit false, set false'; end if; end $$;
alter role "odd in team: x" set search_path = "we ird", 'a,b', "$user"; alter role "odd in team: x" set app.secret = 'a=b: c''d"e';
alter role "odd in team: x" in database {{database}} set "app.two" = E'line\nbreak, %s %I';
grant set, alter system on parameter work_mem to "odd in team: x" with grant option;
create table mine (id int primary key); alter table mine owner to "odd in team: x"; insert into mine values (1);
create table ours (id int primary key); alter table ours owner to "house, ""in"" team"; create table theirs (id int); alter table theirs owner to house_expiring;
