-- Values for which pg_dump has no words: a replica identity whose index is gone, a constraint that only a child has validated.
create table dangling (id int not null, v text);
create unique index dangling_id on dangling (id);
alter table dangling replica identity using index dangling_id;
drop index dangling_id;
insert into dangling values (1, 'a'), (2, 'b');
create table amounts (n int);
create table paid (day date) inherits (amounts);
alter table amounts add constraint positive check (n > 0) not valid;
alter table paid validate constraint positive;
insert into amounts values (1);
insert into paid values (2, '2020-01-01'), (3, '2020-01-02');
