-- Rows that break a foreign key which says that it is valid: written while the triggers were off.
create table parent (id int primary key); create table child (id int primary key, p int references parent);
insert into parent values (1); insert into child values (1, 1);
set session_replication_role = replica;
insert into child values (2, 77);
reset session_replication_role;
