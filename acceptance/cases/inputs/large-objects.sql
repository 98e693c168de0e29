-- Large objects of somebody else, with rights and a comment.
do $$ begin create role house_files nologin; exception when duplicate_object then null; end $$;
select lo_from_bytea(900001, 'hello'), lo_from_bytea(900002, ''), lo_create(900003);
alter large object 900001 owner to house_files; grant select on large object 900001 to public; comment on large object 900001 is 'a letter';
create table doc (id int primary key, body oid); insert into doc values (1, 900001), (2, 424242);
