create table parent (a int, b int);
create table child (b int, a int);
alter table child inherit parent;
insert into child (a, b) values (1, 2);
