create table here (id int primary key) ; create table there (id int primary key) tablespace house_space; insert into there select generate_series(1, 10); create index on there (id) tablespace house_space;
alter table here set (fillfactor = 90);
