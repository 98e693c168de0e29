-- A database of an ordinary owner: other people's tables, row security, large objects.
do $$ begin create role house_ops login; create role house_other; exception when duplicate_object then null; end $$;
alter database {{database}} owner to house_ops;
create table mine (id int primary key); alter table mine owner to house_ops; insert into mine values (1);
create table theirs (id int primary key, who text); alter table theirs owner to house_other; insert into theirs values (1, 'x'), (2, 'y'); grant select on theirs to house_ops;
