create table m (id int, at date, primary key (id, at)) partition by range (at);
create table m1 partition of m for values from ('2024-01-01') to ('2025-01-01');
insert into m values (1, '2024-05-05');
