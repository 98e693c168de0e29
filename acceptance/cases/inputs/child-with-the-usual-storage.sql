create table texts (id int, note text, body text);
alter table texts alter note set storage external, alter body set compression pglz;
create table special (mark int) inherits (texts);
create table "very special" () inherits (special);
alter table special alter note set storage extended, alter body set compression default;
alter table "very special" alter body set compression default;
insert into texts values (1, 'a', 'b');
insert into special values (2, 'c', 'd', 3);
insert into "very special" values (4, 'e', 'f', 5);
